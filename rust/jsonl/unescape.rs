//! Resolves the escapes of JSON strings.

use std::borrow::Cow;

/// Resolves the escapes of a string. `content` is a valid JSON string without its quotes.
pub fn unescape(content: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', content.as_bytes()) else {
        return Cow::Borrowed(content);
    };
    let mut text = String::with_capacity(content.len());
    let mut rest = content;
    let mut next = Some(first);
    while let Some(backslash) = next {
        text.push_str(&rest[..backslash]);
        let (resolved, length) = resolve(&rest[backslash..]);
        text.push(resolved);
        rest = &rest[backslash + length..];
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Tells whether a string holds only the escapes that [`push_string`](crate::write::push_string)
/// writes, so that it can be copied as it is.
pub fn is_canonical(content: &[u8]) -> bool {
    let mut rest = content;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        match rest[backslash + 1..].split_first() {
            Some((b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', after)) => rest = after,
            _ => return false,
        }
    }
    true
}

/// Returns the character of the escape at the start of `rest`, and the escape's length in bytes.
fn resolve(rest: &str) -> (char, usize) {
    let simple = match rest.as_bytes()[1] {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return resolve_unicode(rest),
        other => char::from(other),
    };
    (simple, 2)
}

/// Resolves `\uXXXX` or a surrogate pair.
fn resolve_unicode(rest: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = rest.get(at + 2..at + 6).unwrap_or_default();
        u32::from_str_radix(digits, 16).unwrap_or_default()
    };
    let first = unit(0);
    if let Some(character) = char::from_u32(first) {
        return (character, 6);
    }
    let code = 0x10000 + ((first & 0x3ff) << 10 | (unit(6) & 0x3ff));
    (
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
        12,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::push_string;

    #[test]
    fn escapes_resolve() {
        let escaped = r#"a\"\\\/\b\f\n\r\t\u00e9\u4e2d\ud83d\ude00z"#;
        assert_eq!(unescape(escaped), "a\"\\/\u{8}\u{c}\n\r\té中😀z");
        assert_eq!(unescape("plain"), "plain");
    }

    #[test]
    fn canonical_strings_are_copied() {
        for content in [r#"a\\\"\n"#, r"\b\f\r\tz", "é", "", r"\\n"] {
            assert!(is_canonical(content.as_bytes()));
            let mut written = Vec::new();
            push_string(&mut written, &unescape(content));
            assert_eq!(written, format!("\"{content}\"").as_bytes());
        }
        for content in [r"\\\/", r"a\n\u00e9", r"\u001f", r"\"] {
            assert!(!is_canonical(content.as_bytes()));
        }
    }
}
