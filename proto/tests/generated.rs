//! The generated code in `src/generated` is what the .proto files say. To write it anew:
//! `SPANMILL_REGENERATE=1 cargo test -p spanmill-proto --test generated`

use std::path::Path;

#[test]
fn the_code_that_is_checked_in_is_what_the_proto_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["local", "pulse", "verdicts"].map(|name| root.join(format!("spanmill/v1/{name}.proto")));
    let parsed = protox::compile(files, [root]).expect("the .proto files are well-formed");
    let out = tempfile::tempdir().expect("a folder");
    tonic_prost_build::configure()
        .client_mod_attribute(".", "#[cfg(feature = \"grpc-client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"grpc-server\")]")
        .build_transport(false)
        .bytes(".")
        .out_dir(out.path())
        .compile_fds(parsed)
        .expect("code is generated");
    let fresh = std::fs::read_to_string(out.path().join("spanmill.v1.rs")).expect("it was written");
    let kept = root.join("src/generated/spanmill.v1.rs");
    if std::env::var_os("SPANMILL_REGENERATE").is_some() {
        std::fs::create_dir_all(kept.parent().expect("it has a folder")).expect("the folder is made");
        std::fs::write(&kept, &fresh).expect("the code is written");
    }
    let is_same = std::fs::read_to_string(&kept).is_ok_and(|kept| kept == fresh);
    assert!(
        is_same,
        "{} is not what the .proto files say; the top of this test says how to write it",
        kept.display()
    );
}
