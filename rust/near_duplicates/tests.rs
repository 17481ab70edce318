use std::convert::Infallible;

use super::*;

fn grouped(texts: &[&str], threshold: f64) -> Vec<usize> {
    groups::<Error>(texts, threshold, |_, _| Ok(())).expect("the threshold is a share")
}

const TEXT: &str = "the count of monte cristo sailed from marseilles to elba with a letter for the \
    marshal, and came back rich: he had found what an abbot told him of in prison";

#[test]
fn copies_with_small_edits_are_grouped_and_other_texts_are_not() {
    let parcel = TEXT.replace("letter", "parcel");
    let upper = TEXT.to_uppercase();
    let other = "an abbot told him in prison where a treasure lay, and when free he went there";
    assert_eq!(
        grouped(&[TEXT, other, &parcel, &upper, ""], 0.8),
        [0, 1, 0, 0, 4]
    );
}

#[test]
fn a_piece_of_a_text_is_grouped_with_it() {
    let piece = &TEXT[20..70];
    assert_eq!(grouped(&[TEXT, piece], 0.5), [0, 0]);
    assert_eq!(
        grouped(&[TEXT, "monte cristo"], 0.5),
        [0, 1],
        "too short to tell"
    );
}

#[test]
fn pages_of_one_template_are_told_apart_by_what_is_rare() {
    let page = |i: u64| format!("{TEXT}. the number of this page is {}", shingles::mixed(i));
    let mut texts: Vec<String> = (0..300).map(page).collect();
    texts.push(texts[7].replace("number", "numeral"));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut expected: Vec<usize> = (0..301).collect();
    expected[300] = 7;
    assert_eq!(grouped(&texts, 0.5), expected);
}

#[test]
fn an_error_of_the_report_ends_the_work() {
    let stopped = groups(&[TEXT, TEXT], 0.5, |_, _| Err(Error::Usage("stop".into())));
    assert!(stopped.is_err());
    let refused = groups::<Error>(&[TEXT], 0.0, |_, _| Ok(()));
    assert!(refused.unwrap_err().to_string().contains("threshold is 0"));
}

#[test]
fn blocks_are_the_whole_range() {
    let mut seen = Vec::new();
    let done: Result<(), Infallible> = in_blocks(BLOCK + 1, |block| {
        seen.push(block);
        Ok(())
    });
    assert_eq!((done, seen), (Ok(()), vec![0..BLOCK, BLOCK..BLOCK + 1]));
}
