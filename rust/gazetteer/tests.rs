use super::*;
use crate::jsonl::Source;
use crate::pool::run_while;

fn gazetteer(names: &str, rules: Rules) -> Gazetteer {
    let source = Source::of_lines("names", names.as_bytes().to_vec());
    let rows = Rows::of_lines(source, OnError::Strict).unwrap();
    Gazetteer::of_rows(rows, "names", rules, 1).unwrap()
}

/// Returns the parts of a text that are found.
fn found<'a>(names: &str, rules: Rules, text: &'a str) -> Vec<&'a str> {
    let Spans { spans, .. } = gazetteer(names, rules).find(&[text]).spans;
    let byte = |at: i64| {
        let mut places = text.char_indices().map(|(byte, _)| byte);
        places.nth(at as usize).unwrap_or(text.len())
    };
    spans
        .iter()
        .map(|&[start, end]| &text[byte(start)..byte(end)])
        .collect()
}

const PLAIN: Rules = Rules {
    ignore_case: false,
    form: Form::None,
};
const FOLDED: Rules = Rules {
    ignore_case: true,
    form: Form::Nfc,
};
const WIDE: Rules = Rules {
    ignore_case: false,
    form: Form::Nfkc,
};

#[test]
fn the_longest_that_ends_at_a_boundary_is_found() {
    let names = "New York\nNew York C\nYork City\nin";
    assert_eq!(
        found(names, PLAIN, "in New York City, Berlin"),
        ["in", "New York"]
    );
    assert_eq!(
        found("日本\n日本語", PLAIN, "日本語と日本"),
        ["日本語", "日本"]
    );
}

#[test]
fn boundaries_follow_the_script() {
    assert_eq!(
        found("Berlin", PLAIN, "在Berlin的 Berliner éBerlin"),
        ["Berlin"]
    );
    assert_eq!(found("C++\n.NET", PLAIN, "C++11 ASP.NET"), ["C++", ".NET"]);
    assert_eq!(found("서울", PLAIN, "서울에서"), ["서울"]);
    assert_eq!(found("กรุงเทพ", PLAIN, "ที่กรุงเทพมี"), ["กรุงเทพ"]);
    assert_eq!(found("2020", PLAIN, "2020年 12020"), ["2020"]);
    // An accent belongs to its letter, a skin tone to its hand.
    assert_eq!(found("cafe\n👍", PLAIN, "cafe\u{301} 👍🏽 👍"), ["👍"]);
    assert_eq!(found("x", PLAIN, "e\u{301}x 葛\u{e0100}x"), ["x"]);
}

#[test]
fn case_width_and_composition_are_mapped_back() {
    assert_eq!(
        found("CAFÉ", FOLDED, "ein Cafe\u{301}, ja"),
        ["Cafe\u{301}"]
    );
    // The Kelvin sign has three bytes, its small letter has one.
    assert_eq!(
        found("KELVIN", FOLDED, "ẞ \u{212a}elvin ist"),
        ["\u{212a}elvin"]
    );
    assert_eq!(found("maße", FOLDED, "MASSE MAẞE"), ["MAẞE"]);
    assert_eq!(found("i\u{307}", FOLDED, "İ"), [""; 0]);
    assert_eq!(found("ABC\n12", WIDE, "ＡＢＣ、１２"), ["ＡＢＣ", "１２"]);
    // Half of a ligature is no place in the text.
    assert_eq!(found("f\nfi", WIDE, "ﬁ"), ["ﬁ"]);
    assert_eq!(found(" New  York ", PLAIN, "in New\n York"), ["New\n York"]);
}

#[test]
fn a_gazetteer_can_be_stopped() {
    let texts = vec!["a ".repeat(1000); 10_000];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let stopped = run_while(|| Ok(gazetteer("a", PLAIN).find(&texts)), || false);
    assert!(matches!(stopped, Err(Error::Stopped)));
}
