//! Cuts the text of a query into words, phrases, operators and parentheses.

use super::{KIND_BYTES_MAX, Problem, QueryError};

/// One piece of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    /// A `-` directly before what it negates.
    Minus,
    /// A word or phrase without a key.
    Text(String),
    /// `key:value`; the key is lower-case.
    Pair {
        key: String,
        value: String,
    },
}

/// A token and the character it starts at.
pub(super) type Placed = (usize, Token);

/// All tokens of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, QueryError> {
    let mut lexer = Lexer { characters: text.chars().collect(), position: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

/// Whether a word can stand without quotation marks and be read back as the same word.
pub(super) fn stands_bare(text: &str) -> bool {
    !matches!(text, "" | "AND" | "OR" | "NOT")
        && !text.starts_with('-')
        && !text.contains(|c: char| ends_word(c) || c == ':')
}

/// What a bare word cannot contain.
fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')' | '"')
}

struct Lexer {
    characters: Vec<char>,
    position: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.position + ahead).copied()
    }

    fn next_token(&mut self) -> Result<Option<Placed>, QueryError> {
        while self.peek(0).is_some_and(char::is_whitespace) {
            self.position += 1;
        }
        let start = self.position;
        let Some(first) = self.peek(0) else { return Ok(None) };
        let single = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '-' if self.peek(1).is_some_and(|next| !next.is_whitespace() && next != ')') => {
                Some(Token::Minus)
            }
            _ => None,
        };
        let token = match single {
            Some(token) => {
                self.position += 1;
                token
            }
            None if first == '"' => Token::Text(self.phrase()?),
            None => self.word()?,
        };
        Ok(Some((start, token)))
    }

    /// A word up to white space, a parenthesis or a quotation mark; with a key in front, its value too.
    fn word(&mut self) -> Result<Token, QueryError> {
        let start = self.position;
        let word = self.bare()?;
        match split_key(&word) {
            Some((key, "")) if self.peek(0) == Some('"') => {
                Ok(Token::Pair { key: key.to_ascii_lowercase(), value: self.phrase()? })
            }
            Some((key, "")) => {
                Err(QueryError { position: start, problem: Problem::MissingValue { key: key.to_owned() } })
            }
            Some((key, value)) => Ok(Token::Pair { key: key.to_ascii_lowercase(), value: value.to_owned() }),
            None => Ok(match word.as_str() {
                "AND" => Token::And,
                "OR" => Token::Or,
                "NOT" => Token::Not,
                _ => Token::Text(word),
            }),
        }
    }

    fn bare(&mut self) -> Result<String, QueryError> {
        let mut word = String::new();
        while let Some(character) = self.peek(0).filter(|&character| !ends_word(character)) {
            self.refuse_control(character)?;
            word.push(character);
            self.position += 1;
        }
        Ok(word)
    }

    /// What stands between two quotation marks, where `\"` and `\\` mean the character after the backslash.
    fn phrase(&mut self) -> Result<String, QueryError> {
        let start = self.position;
        let mut phrase = String::new();
        self.position += 1;
        loop {
            let escaped = self.peek(0) == Some('\\') && matches!(self.peek(1), Some('"' | '\\'));
            self.position += usize::from(escaped);
            match self.peek(0) {
                None => return Err(QueryError { position: start, problem: Problem::UnclosedQuote }),
                Some('"') if !escaped => break,
                Some(character) => {
                    self.refuse_control(character)?;
                    phrase.push(character);
                }
            }
            self.position += 1;
        }
        self.position += 1;
        if phrase.is_empty() {
            return Err(QueryError { position: start, problem: Problem::EmptyQuote });
        }
        Ok(phrase)
    }

    fn refuse_control(&self, character: char) -> Result<(), QueryError> {
        if character.is_control() {
            return Err(QueryError { position: self.position, problem: Problem::ControlCharacter });
        }
        Ok(())
    }
}

/// The two sides of the first colon, if what is before it looks like a key: `12:30` is only a word.
fn split_key(word: &str) -> Option<(&str, &str)> {
    let (key, value) = word.split_once(':')?;
    let looks_like_key = key.len() <= KIND_BYTES_MAX
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    looks_like_key.then_some((key, value))
}
