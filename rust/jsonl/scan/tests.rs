use super::*;

fn scan(json: &str) -> Result<Value> {
    let mut scanner = Scanner::new(json.as_bytes(), 0);
    let value = scanner.value()?;
    scanner.end()?;
    Ok(value)
}

fn fault(json: &str) -> (Reason, usize) {
    let fault = scan(json).expect_err(json);
    (fault.reason, fault.at)
}

#[test]
fn values_have_their_kind_and_extent() {
    let value = |kind, start, end| Ok(Value { kind, start, end });
    assert_eq!(scan(" null "), value(Kind::Null, 1, 5));
    assert_eq!(scan("-0"), value(Kind::Integer, 0, 2));
    assert_eq!(scan("1.5e-7"), value(Kind::Float, 0, 6));
    assert_eq!(scan(r#""a""#), value(Kind::String { escaped: false }, 0, 3));
    assert_eq!(
        scan(r#""\ud83d\ude00""#),
        value(Kind::String { escaped: true }, 0, 14)
    );
    assert_eq!(
        scan(r#"{"a": [1, {}], "b": true}"#),
        value(Kind::Object, 0, 25)
    );
}

#[test]
fn faults_have_their_reason_and_place() {
    assert_eq!(fault(r#"{"a": 1"#), (Reason::TruncatedJson, 7));
    assert_eq!(fault(r#"{"a": "bc"#), (Reason::TruncatedJson, 6));
    assert_eq!(fault("tru"), (Reason::TruncatedJson, 3));
    assert_eq!(fault(r#"{"a": 1} x"#), (Reason::TrailingData, 9));
    assert_eq!(fault("01"), (Reason::TrailingData, 1));
    assert_eq!(fault("[1,]"), (Reason::InvalidJson, 3));
    assert_eq!(fault("{'a': 1}"), (Reason::InvalidJson, 1));
    assert_eq!(fault("\"a\tb\""), (Reason::InvalidJson, 2));
    assert_eq!(fault(r#""\x""#), (Reason::InvalidJson, 1));
    assert_eq!(fault(r#""\u12g4""#), (Reason::InvalidJson, 1));
    assert_eq!(fault("[NaN]"), (Reason::NotFinite, 1));
    assert_eq!(fault("-Infinity"), (Reason::NotFinite, 1));
    assert_eq!(fault(r#""a\ud800""#), (Reason::LoneSurrogate, 2));
    assert_eq!(fault(r#""\ude00\ud83d""#), (Reason::LoneSurrogate, 1));
    assert_eq!(fault(r#""\ud83dA""#), (Reason::LoneSurrogate, 1));
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(scan(&nested(128)).is_ok());
    assert_eq!(fault(&nested(129)), (Reason::TooDeep, 128));
    assert_eq!(fault(&"[".repeat(100_000)), (Reason::TooDeep, 128));
}
