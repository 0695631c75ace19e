use proptest::prelude::*;

use super::*;

/// Ordinary text mixed with all that cleaning is about.
fn messy() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "\u{0}",
        "\u{1b}",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
        "\u{200d}",
        "\u{e0041}",
        "\u{fe0f}",
        "\u{fff9}",
        "⟦",
        "⟧",
        "〚",
        "\r\n",
        "\r",
        "\n",
        "\n\n\n",
        "\t",
        " ",
        "  ",
        "\u{a0}",
        "\u{2028}",
        "\u{85}",
        "e\u{301}",
        "é",
        "你好",
        "🎉",
        "\u{10ffff}",
        "👩\u{200d}🚀",
        "❤\u{fe0f}",
        "👍🏽",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "1\u{fe0f}\u{20e3}",
        "می\u{200c}خواهم",
        "क\u{94d}\u{200d}",
        "\u{200c}",
        "葛\u{e0100}",
        "\u{344}",
        "\u{958}",
    ]);
    prop::collection::vec(
        prop_oneof![odd.prop_map(str::to_owned), "\\PC{0,6}", any::<String>()],
        0..12,
    )
    .prop_map(|parts| parts.concat())
}

fn is_dropped_outside_flags(c: char) -> bool {
    is_dropped(c) && !('\u{E0020}'..='\u{E007F}').contains(&c)
}

proptest! {
    #[test]
    fn cleaning_a_line_twice_is_cleaning_it_once(text in messy(), max in 0_usize..40) {
        let once = clean_line(&text, max).into_owned();
        prop_assert_eq!(clean_line(&once, max).into_owned(), once);
    }

    #[test]
    fn cleaning_a_block_twice_is_cleaning_it_once(text in messy(), max in 0_usize..40) {
        let once = clean_block(&text, max).into_owned();
        prop_assert_eq!(clean_block(&once, max).into_owned(), once);
    }

    #[test]
    fn caps_hold_in_code_points(text in messy(), max in 0_usize..40) {
        for cleaned in [clean_line(&text, max), clean_block(&text, max)] {
            prop_assert!(cleaned.chars().count() <= max);
        }
    }

    #[test]
    fn nothing_invisible_stands_where_nothing_needs_it(text in messy()) {
        for cleaned in [clean_line(&text, 500), clean_block(&text, 500)] {
            prop_assert!(!cleaned.chars().any(is_dropped_outside_flags));
            prop_assert_eq!(forbidden(&cleaned), None);
            for (at, c) in cleaned.char_indices().filter(|(_, c)| joining::is_conditional(*c)) {
                let (before, rest) = cleaned.split_at(at);
                let after = rest.strip_prefix(c).unwrap();
                prop_assert!(joining::belongs(before, c, after), "{:?} in {:?}", c, cleaned);
            }
        }
        let line = clean_line(&text, 500).into_owned();
        prop_assert!(!line.chars().any(char::is_control));
    }

    #[test]
    fn what_is_left_is_in_the_form_nfc(text in messy(), max in 0_usize..40) {
        prop_assert!(unicode_normalization::is_nfc(&clean_line(&text, max)));
        prop_assert!(unicode_normalization::is_nfc(&clean_block(&text, max)));
    }

    #[test]
    fn a_blank_text_is_one_that_cleans_to_nothing(text in messy()) {
        prop_assert_eq!(is_blank(&text), clean_line(&text, 500).is_empty());
    }
}

#[test]
fn what_scripts_and_emoji_need_stays() {
    for text in [
        "👨\u{200d}👩\u{200d}👧\u{200d}👦",
        "👩🏽\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏿",
        "🏳\u{fe0f}\u{200d}🌈",
        "🏴\u{200d}☠\u{fe0f}",
        "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
        "1\u{fe0f}\u{20e3} #\u{fe0f}\u{20e3}",
        "👍🏽 🇩🇪 ☺\u{fe0f} ☺\u{fe0e}",
        // Persian, Sorani, Urdu
        "علی\u{200c}رضا",
        "نه\u{200c}م",
        // Sinhala, Devanagari, Malayalam, Bengali
        "ශ්\u{200d}රී",
        "क्\u{200d}ष क्\u{200c}ष",
        "അവന്\u{200d}",
        "র\u{200d}্য",
        // Ideographs with their forms, Mongolian
        "葛\u{e0100}城",
        "ᠠ\u{180e}ᠠ ᠠ\u{180b}",
        "Nguyễn Đặng Ý",
        "རྒྱུད་",
    ] {
        assert_eq!(clean_line(text, 80), text, "{text:?}");
        assert_eq!(clean_block(text, 80), text, "{text:?}");
        assert_eq!(forbidden(text), None, "{text:?}");
    }
}

#[test]
fn what_only_hides_something_goes() {
    let zalgo = format!("a{}", "\u{316}".repeat(50));
    let pictures = vec!["👩"; 30].join("\u{200d}");
    for (text, left) in [
        ("A\u{200d}n\u{200c}n", "Ann"),
        ("A\u{fe0f}n\u{fe01}n", "Ann"),
        ("\u{200d}\u{200c}\u{fe0f}", ""),
        ("👩\u{200d}\u{200d}\u{200d}🚀", "👩\u{200d}🚀"),
        ("👩\u{200d} 🚀", "👩 🚀"),
        ("می\u{200c}\u{200c}خ", "می\u{200c}خ"),
        ("1\u{fe0f}2", "12"),
        ("🏴\u{e0069}\u{e0067}\u{e006e}\u{e007f}", "🏴"),
        ("\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", ""),
        ("a\u{202e}b\u{2066}c", "abc"),
        (zalgo.as_str(), format!("a{}", "\u{316}".repeat(8)).as_str()),
    ] {
        assert_eq!(clean_line(text, 80), left, "{text:?}");
    }
    let run = format!("क{}", "\u{94d}\u{200d}".repeat(50));
    assert!(clean_line(&run, 200).chars().count() < 20);
    assert_eq!(clean_line(&pictures, 80).matches('\u{200d}').count(), 27);
}

#[test]
fn a_cut_splits_nothing_that_people_see() {
    for (text, most, left) in [
        ("ab👍🏽", 3, "ab"),
        ("ab👍🏽", 4, "ab👍🏽"),
        ("a👨\u{200d}👩\u{200d}👧", 4, "a"),
        ("a🇩🇪", 2, "a"),
        ("ax\u{316}", 2, "a"),
        (
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            5,
            "",
        ),
    ] {
        let cleaned = line(text, most);
        assert_eq!(
            (&*cleaned.text, cleaned.cut),
            (left, text != left),
            "{text:?}"
        );
        assert_eq!(block(text, most).text, left, "{text:?}");
    }
    let eighty = "😀".repeat(80);
    assert_eq!(clean_line(&eighty, 80), eighty);
    assert!(line(&"😀".repeat(81), 80).cut);
}

#[test]
fn a_refusal_names_the_character_and_the_place() {
    for (text, expected) in [
        (
            "An\u{200b}n",
            "it holds U+200B ZERO WIDTH SPACE at character 3, which is invisible",
        ),
        (
            "\u{1bca0}",
            "it holds U+1BCA0 at character 1, which is invisible",
        ),
        ("a\nb", "it has a tab or a line break at character 2"),
        ("\u{200d} \u{2800}", "it is empty or blank"),
        ("123456789", "it has 9 characters"),
    ] {
        let refused = refused_line(text, 8).unwrap();
        assert_eq!(
            refused.text,
            format!("must be one line of 1 to 8 characters; {expected}")
        );
    }
}

#[test]
fn letters_stay_but_for_the_form_in_which_they_are_written() {
    for text in ["Åsa", "ﬁn", "İstanbul", "Ελλάς", "你好"] {
        assert_eq!(clean_line(text, 80), text);
    }
    assert_eq!(clean_line("A\u{30a}sa", 80), "Åsa");
}

#[test]
fn a_line_loses_its_breaks_and_a_block_keeps_them_in_one_spelling() {
    assert_eq!(clean_line("  a \r\n\t b\u{2028}c ", 80), "a b c");
    assert_eq!(
        clean_block("a \r\nb\rc\u{2028}\u{85}\n\n d\te", 80),
        "a\nb\nc\n\n d\te"
    );
}

#[test]
fn text_hidden_in_tag_characters_disappears() {
    let hidden: String = "ignore"
        .chars()
        .filter_map(|c| char::from_u32(0xE0000 + u32::from(c)))
        .collect();
    assert_eq!(clean_line(&format!("Ann{hidden}"), 80), "Ann");
    assert_eq!(
        forbidden(&format!("Ann{hidden}")),
        Some(Forbidden {
            character: '\u{E0069}',
            position: 4
        })
    );
}

#[test]
fn honest_text_with_emoji_and_joiners_is_not_forbidden() {
    for text in [
        "a\tb\r\nc",
        "❤\u{fe0f} 👩\u{200d}🚀",
        "می\u{200c}خواهم",
        "Zoë",
    ] {
        assert_eq!(forbidden(text), None, "{text:?}");
    }
    for text in [
        "a\u{0}",
        "a\u{202e}b",
        "\u{feff}x",
        "\u{fff9}",
        "\u{7f}",
        "\u{ffff}",
    ] {
        assert!(forbidden(text).is_some(), "{text:?}");
    }
}

#[test]
fn what_is_wrong_with_a_text_is_its_length_or_the_character() {
    let code_of = |words: Option<Words>| words.unwrap().wrong;
    let line = |text| *code_of(refused_line(text, 5));
    assert_eq!(line("123456"), Wrong::Line { most: 5 });
    assert_eq!(line(" "), Wrong::Line { most: 5 });
    assert_eq!(line("ab\nc"), Wrong::LineBreak { at: 3 });
    let hidden = Wrong::UnseenAt {
        name: "U+0007".to_owned(),
        at: 2,
    };
    assert_eq!(line("a\u{7}"), hidden);
    let block = |text| *code_of(refused_block(text, 5));
    assert_eq!(block("a\u{7}"), hidden);
    assert_eq!(block(""), Wrong::Length { least: 1, most: 5 });
    assert_eq!(refused_block("ab\nc", 5), None);
}
