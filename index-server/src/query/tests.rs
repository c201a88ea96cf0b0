//! The language by example, and its laws.

use proptest::prelude::*;

use super::{DEPTH_MAX, Expression, Folder, Problem, QUERY_BYTES_MAX, Query, TERMS_MAX, Term, parse};

/// The text means the query whose canonical form is `canonical`.
fn check(text: &str, canonical: &str) {
    let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(query.to_string(), canonical, "{text}");
    assert_eq!(parse(canonical), Ok(query), "{canonical} must mean the same as {text}");
}

/// The text is refused with a sentence that contains `problem`, blamed on the character `position`.
fn check_refused(text: &str, position: usize, problem: &str) {
    let error = parse(text).expect_err(text);
    assert!(error.to_string().contains(problem), "{text}: {error}");
    assert_eq!(error.position, position, "{text}: {error}");
}

fn word(text: &str) -> Expression {
    Expression::Term(Term::Word(text.to_owned()))
}

#[test]
fn an_empty_text_asks_for_everything() {
    assert_eq!(parse(" \t\u{3000} "), Ok(Query::default()));
    check("", "");
}

#[test]
fn words_beside_each_other_must_all_match() {
    let both = Expression::And(vec![word("holiday"), word("beach")]);
    assert_eq!(parse("holiday beach").unwrap().expression, Some(both));
    check("holiday AND beach", "holiday beach");
    check("a (b c) AND (d)", "a b c d");
}

#[test]
fn and_binds_tighter_than_or_and_not_tightest() {
    check("a b OR c AND NOT d", "a b OR c -d");
    check("a (b OR c)", "a (b OR c)");
    check("(a OR b) OR c", "a OR b OR c");
    check("NOT (a OR b)", "-(a OR b)");
    check("-(a b)", "-(a b)");
    check("NOT NOT a", "--a");
    check("-tag:x -\"two words\"", "-tag:x -\"two words\"");
}

#[test]
fn lower_case_operators_and_lone_hyphens_are_words() {
    check("salt and pepper", "salt and pepper");
    check("a - b", "a \"-\" b");
    check("well-known", "well-known");
    check("\"AND\" \"-x\"", "\"AND\" \"-x\"");
}

#[test]
fn phrases_keep_spaces_and_escape_quotation_marks() {
    check(r#""new york""#, r#""new york""#);
    check(r#"tag:"new york""#, r#"tag:"new york""#);
    check(r#""say \"hi\"" "back\slash""#, r#""say \"hi\"" back\slash"#);
    check("\"plain\"", "plain");
    check("a\"b c\"d", "a \"b c\" d");
}

#[test]
fn keys_choose_what_to_compare() {
    check("TAG:Holiday type:image", "tag:Holiday type:image");
    check("camera:\"canon eos 5d\" owner:mei name:report", "camera:\"canon eos 5d\" owner:mei name:report");
    check("size:large duration:short", "size:large duration:short");
    check("12:30", "\"12:30\"");
    check("标签:假期", "\"标签:假期\"");
    check("tag:a:b", "tag:\"a:b\"");
    check("path:/", "path:/");
    check("path:/photos/2024/", "path:/photos/2024");
    check("path:\"/my photos\"", "path:\"/my photos\"");
}

#[test]
fn chinese_works_everywhere() {
    check("假期 照片", "假期 照片");
    check("tag:海滩 -人物:小明", "tag:海滩 -\"人物:小明\"");
    check("path:/照片/假期 OR name:报告", "path:/照片/假期 OR name:报告");
    check("（假期）", "（假期）");
    check("假期\u{3000}海滩", "假期 海滩");
    check("person:\"小 明\"", "person:\"小 明\"");
}

#[test]
fn sizes_take_units_operators_and_ranges() {
    check("size:500", "size:500");
    check("size:>1MB", "size:>=1000001");
    check("size:<10k", "size:<=9999");
    check("size:>=1.5KiB", "size:>=1536");
    check("size:<=2gib", "size:<=2147483648");
    check("size:1k..2M", "size:1000..2000000");
    check("size:..0", "size:0");
    check("size:1.5..", "size:>=1");
}

#[test]
fn dates_are_years_months_days_or_ranges() {
    check("date:2024", "date:2024-01-01..2024-12-31");
    check("date:2024-02", "date:2024-02-01..2024-02-29");
    check("date:2024-05-31", "date:2024-05-31");
    check("date:>2024-05", "date:>=2024-06-01");
    check("date:<2024-05", "date:<=2024-04-30");
    check("date:>=2024-05 date:<=2024-05", "date:>=2024-05-01 date:<=2024-05-31");
    check("date:2024-01..2024-03-05", "date:2024-01-01..2024-03-05");
    check("date:..2024 date:2024..", "date:<=2024-12-31 date:>=2024-01-01");
}

#[test]
fn mistakes_are_named_where_they_are() {
    check_refused("a (b", 2, "never closed");
    check_refused("a)", 1, "never opened");
    check_refused(")", 0, "never opened");
    check_refused("假期 ()", 4, "nothing between the parentheses");
    check_refused("a AND", 5, "AND needs a condition after it");
    check_refused("OR a", 0, "OR needs a condition before it");
    check_refused("a OR OR b", 5, "OR needs a condition after it");
    check_refused("(NOT)", 4, "NOT needs a condition after it");
    check_refused("(a OR)", 5, "OR needs a condition after it");
    check_refused("a \"b", 2, "never closed");
    check_refused("a \"\\\"", 2, "never closed");
    check_refused("\"\"", 0, "nothing between the quotation marks");
    check_refused("a tag: b", 2, "`tag:` needs a value");
    check_refused("tag:\"\"", 4, "nothing between the quotation marks");
    check_refused("a\u{7}", 1, "control characters");
    check_refused("\"a\0\"", 2, "control characters");
}

#[test]
fn values_that_mean_nothing_are_refused() {
    for size in ["-5", "1..k", "..", ">", "1.5.2", "1z", "1.", ".5", "1ib", "99999999999999999999", "１"] {
        check_refused(&format!("size:{size}"), 0, "is no size");
    }
    check_refused("size:<0", 0, "its end comes before its start");
    check_refused("size:2M..1k", 0, "its end comes before its start");
    for date in
        ["24", "2024-13", "2023-02-29", "2024-5", "..", "today", "0000", "9999", "+024", "2024-05-01-02"]
    {
        check_refused(&format!("date:{date}"), 0, "is no date");
    }
    check_refused("date:2024..2023", 0, "its end comes before its start");
    check_refused("date:>9998", 0, "its end comes before its start");
    check_refused("date:<0001", 0, "its end comes before its start");
    for path in ["a", "/a//b", "//", "/a/../b", "/./a"] {
        check_refused(&format!("path:{path}"), 0, "is no folder");
    }
}

#[test]
fn length_depth_and_number_of_terms_are_limited() {
    let problem = |text: &str| parse(text).map_err(|error| error.problem);
    assert_eq!(problem(&"a".repeat(QUERY_BYTES_MAX + 1)), Err(Problem::TooLong));
    assert!(problem(&"a".repeat(QUERY_BYTES_MAX)).is_ok());
    assert_eq!(problem(&"a ".repeat(TERMS_MAX + 1)), Err(Problem::TooManyTerms));
    assert!(problem(&"a ".repeat(TERMS_MAX)).is_ok());
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(problem(&nested(DEPTH_MAX)), Err(Problem::TooDeep));
    assert!(problem(&nested(DEPTH_MAX - 1)).is_ok());
    assert_eq!(problem(&format!("{}a", "-".repeat(QUERY_BYTES_MAX - 1))), Err(Problem::TooDeep));
    check(&format!("{}a", "-".repeat(DEPTH_MAX - 1)), &format!("{}a", "-".repeat(DEPTH_MAX - 1)));
}

/// Any text that a term may hold.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9._-]{1,8}",
        "[假期海滩 （）“”：a]{1,6}",
        r#"[ "\\():%_'-]{1,6}"#,
        Just("AND".to_owned()),
        "[^\\p{Cc}]{1,6}",
    ]
}

fn term() -> impl Strategy<Value = Term> {
    prop_oneof![
        text().prop_map(Term::Word),
        text().prop_map(Term::Name),
        text().prop_map(Term::Tag),
        text().prop_map(Term::Owner),
        ("(type|format|person|x-[a-z0-9_]{1,4})", text())
            .prop_map(|(kind, name)| Term::KindTag { kind, name }),
        "(/[a-z假 ]{1,3}){1,3}".prop_map(|path| Term::Below(Folder::parse(&path).unwrap())),
        "(>|<=|)[1-9][0-9]{0,3}(\\.[0-9]{1,3})?(k|MiB|GB|)"
            .prop_map(|size| Term::Size(super::SizeRange::parse(&size).unwrap())),
        "(>|<=|)[12][0-9]{3}(-0[1-9](-1[0-9])?)?"
            .prop_map(|date| Term::Date(super::DateRange::parse(&date).unwrap())),
    ]
}

/// Trees as the parser makes them: no conjunction directly in a conjunction, and so on.
fn expression() -> impl Strategy<Value = Expression> {
    term().prop_map(Expression::Term).prop_recursive(4, 24, 4, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|inner| Expression::Not(Box::new(inner))),
            parts().prop_map(super::parser::all_of),
            parts().prop_map(super::parser::any_of),
        ]
    })
}

proptest! {
    #[test]
    fn the_canonical_form_means_the_same(expression in expression()) {
        let query = Query { expression: Some(expression) };
        let canonical = query.to_string();
        prop_assume!(canonical.len() <= QUERY_BYTES_MAX);
        prop_assert_eq!(parse(&canonical), Ok(query), "{}", canonical);
    }

    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_soup_of_syntax_breaks_the_parser(
        pieces in prop::collection::vec(
            prop_oneof![
                Just("("), Just(")"), Just("\""), Just("-"), Just(" "), Just("AND"), Just("OR "), Just("NOT "),
                Just(":"), Just("tag:"), Just("size:"), Just("date:"), Just("path:/"), Just(">"), Just(".."),
                Just("1"), Just("2024"), Just("\\"), Just("假"), Just("\0"), Just("x"),
            ],
            0..60,
        ),
    ) {
        let text = pieces.concat();
        match parse(&text) {
            Ok(query) if query.to_string().len() <= QUERY_BYTES_MAX => {
                prop_assert_eq!(parse(&query.to_string()), Ok(query));
            }
            Ok(_) => {}
            Err(error) => prop_assert!(error.position <= text.chars().count()),
        }
    }
}
