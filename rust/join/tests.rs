use super::*;

/// The definition taken literally: compares every annotation with the text.
fn scan(annotations: &[&str], text: &str) -> Option<usize> {
    let normal: Vec<_> = annotations.iter().map(|a| normalise(a)).collect();
    let text = normalise(text);
    let length = text.chars().count();
    let contained = |a: &&Cow<str>| {
        let other = a.chars().count();
        10 * length.abs_diff(other) < length.max(other)
            && (a.contains(&*text) || text.contains(&***a))
    };
    let equal = normal.iter().find(|a| **a == text);
    let found = equal.or_else(|| normal.iter().find(contained))?;
    normal.iter().rposition(|a| a == found)
}

/// Makes texts of few letters that are cut from one another, so that there are many near matches.
fn related_texts(mut state: u64, alphabet: &[&str], count: usize) -> Vec<String> {
    let mut below = |bound: usize| {
        state = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
        (state >> 33) as usize % bound
    };
    let mut texts: Vec<String> = Vec::new();
    for _ in 0..count {
        let base: Vec<char> = match texts.len() {
            0 => Vec::new(),
            n => texts[below(n)].chars().collect(),
        };
        let (start, end) = (
            below(4).min(base.len()),
            base.len() - below(4).min(base.len()),
        );
        let mut text: String = base[start.min(end)..end].iter().collect();
        let fresh = if below(3) == 0 { below(150) } else { below(3) };
        for _ in 0..fresh {
            text.push_str(alphabet[below(alphabet.len())]);
        }
        texts.push(text);
    }
    texts
}

#[test]
fn the_index_answers_as_a_scan() {
    let alphabets: [&[&str]; 4] = [
        &["a"],
        &["a", "b", " "],
        &["猫", "犬", "\u{3000}", "x", "\n"],
        &["lorem ", "ipsum\t", "dolor ", "é", "\x1c"],
    ];
    let mut contained = 0;
    for (seed, alphabet) in alphabets.iter().cycle().take(200).enumerate() {
        let texts = related_texts(seed as u64, alphabet, 60);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (annotations, queries) = texts.split_at(30);
        let found = Index::build(annotations).lookup_all(queries);
        for (&query, found) in queries.iter().zip(found) {
            assert_eq!(
                found,
                scan(annotations, query),
                "{query:?} in {annotations:?}"
            );
            contained +=
                usize::from(found.is_some_and(|a| normalise(annotations[a]) != normalise(query)));
        }
    }
    assert!(
        contained > 300,
        "only {contained} contained matches were put to the test"
    );
}

#[test]
fn the_last_of_equal_texts_is_used_at_the_place_of_the_first() {
    let annotations = [
        "one two  three four",
        "two three four",
        "one two three\nfour",
    ];
    let index = Index::build(&annotations);
    assert_eq!(index.lookup("one two three four"), Some(2));
    assert_eq!(index.lookup("one two three four."), Some(2));
}

#[test]
fn spans_move_with_their_text_through_white_space() {
    let annotation = "  the  Count of\nMonte Cristo, 1844 ";
    let text = "Read the Count\t\tof Monte Cristo, 18";
    let spans = [[7, 12], [13, 15], [16, 28], [30, 34], [0, 2], [5, 7]];
    let mut moved = Vec::new();
    transfer(annotation, &text[..29], &spans, &mut moved);
    assert_eq!(moved, [] as [[i64; 2]; 0]);

    let text = "Read the Count\t\tof Monte Cristo, 1844";
    transfer(annotation, text, &spans, &mut moved);
    let parts: Vec<&str> = moved
        .iter()
        .map(|s| &text[s[0] as usize..s[1] as usize])
        .collect();
    assert_eq!(parts, ["Count", "of", "Monte Cristo", "1844", " "]);

    moved.clear();
    transfer(annotation, "Count of Monte Cristo, 1", &spans, &mut moved);
    assert_eq!(moved, [[0, 5], [6, 8], [9, 21]]);
}

#[test]
fn spans_of_the_same_text_stay_as_they_are() {
    let mut moved = Vec::new();
    transfer("a \n b", "a \n b", &[[2, 3], [4, 5]], &mut moved);
    assert_eq!(moved, [[2, 3], [4, 5]]);
}
