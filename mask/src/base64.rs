//! Base64 in both alphabets: just as much as it takes to look into it.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What `text` encodes, without padding; `None` when it holds anything else.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    for quad in text.chunks(4) {
        let mut bits = 0;
        for &b in quad {
            bits = bits << 6 | value(b)?;
        }
        let bytes = (bits << (6 * (4 - quad.len()))).to_be_bytes();
        out.extend_from_slice(&bytes[1..quad.len()]);
    }
    Some(out)
}

/// `bytes` in the standard alphabet, or in that of URLs, padded to fours on request.
pub(crate) fn encode(bytes: &[u8], url: bool, padded: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for triple in bytes.chunks(3) {
        let mut bits = 0;
        for i in 0..3 {
            bits = bits << 8 | usize::from(triple.get(i).copied().unwrap_or(0));
        }
        for i in 0..=triple.len() {
            let sign = STANDARD[bits >> (18 - 6 * i) & 63];
            out.push(match sign {
                b'+' if url => b'-',
                b'/' if url => b'_',
                sign => sign,
            });
        }
        if padded {
            out.resize(out.len().next_multiple_of(4), b'=');
        }
    }
    out
}

fn value(b: u8) -> Option<u32> {
    Some(match b {
        b'A'..=b'Z' => u32::from(b - b'A'),
        b'a'..=b'z' => u32::from(b - b'a') + 26,
        b'0'..=b'9' => u32::from(b - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_hold() {
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(encode(plain.as_bytes(), false, true), encoded.as_bytes());
            assert_eq!(decode(encoded.trim_end_matches('=').as_bytes()).unwrap(), plain.as_bytes());
        }
        assert_eq!(decode(b"a*bc"), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes: Vec<u8>, url: bool) {
            prop_assert_eq!(decode(&encode(&bytes, url, false)), Some(bytes));
        }
    }
}
