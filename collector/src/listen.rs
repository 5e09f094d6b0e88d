//! The accept loop of every HTTP listener: bounded in connections and header time, HTTP/1.1 and HTTP/2.
