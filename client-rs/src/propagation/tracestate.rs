//! The `tracestate` header of W3C Trace Context: handed on as it came, if it is well-formed.

pub(super) const TRACESTATE: &str = "tracestate";

/// Members and bytes that the specification asks everybody to carry.
const MEMBERS_MAX: usize = 32;
const BYTES_MAX: usize = 512;

/// The header without empty members; `None` where it is malformed, or longer than anybody must carry.
pub(super) fn checked(header: &str) -> Option<String> {
    let members: Vec<&str> = header.split(',').map(str::trim).filter(|member| !member.is_empty()).collect();
    let is_fine = members.len() <= MEMBERS_MAX && members.iter().all(|member| is_member(member));
    let joined = members.join(",");
    (is_fine && !joined.is_empty() && joined.len() <= BYTES_MAX).then_some(joined)
}

fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let is_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let is_value = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    (1..=256).contains(&key.len())
        && (1..=256).contains(&value.len())
        && key.bytes().all(is_key)
        && value.bytes().all(is_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_formed_is_kept_and_the_rest_is_not() {
        assert_eq!(checked("ot=th:8 , ,a@b=c d").as_deref(), Some("ot=th:8,a@b=c d"));
        let long = format!("a={}", "x".repeat(600));
        let many = vec!["a=b"; 33].join(",");
        for header in ["", ",", "a", "=b", "a=", "A=b", "a=b=c", "a=é", &long, &many] {
            assert_eq!(checked(header), None, "{header}");
        }
    }
}
