//! From tokens to the tree: one function per line of the grammar.

use super::lexer::{Placed, Token};
use super::{
    DEPTH_MAX, DateRange, Expression, Folder, Problem, Query, QueryError, SizeRange, TERMS_MAX, Term,
};

/// Reads all tokens; `end` is where the text ends, for errors that say something is missing.
pub(super) fn parse(tokens: Vec<Placed>, end: usize) -> Result<Query, QueryError> {
    if tokens.is_empty() {
        return Ok(Query::default());
    }
    let mut parser = Parser { tokens, next: 0, end, terms: 0 };
    let expression = parser.either(0, None)?;
    match parser.peek() {
        None => Ok(Query { expression: Some(expression) }),
        Some(_) => Err(parser.problem(Problem::UnopenedParenthesis)),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    end: usize,
    terms: usize,
}

/// The operator before a condition, which a missing condition is blamed on.
type After = Option<&'static str>;

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    /// A problem at the next token.
    fn problem(&self, problem: Problem) -> QueryError {
        let position = self.tokens.get(self.next).map_or(self.end, |&(position, _)| position);
        QueryError { position, problem }
    }

    fn either(&mut self, depth: usize, after: After) -> Result<Expression, QueryError> {
        let mut parts = vec![self.both(depth, after)?];
        while self.peek() == Some(&Token::Or) {
            self.next += 1;
            parts.push(self.both(depth, Some("OR"))?);
        }
        Ok(any_of(parts))
    }

    fn both(&mut self, depth: usize, after: After) -> Result<Expression, QueryError> {
        let mut parts = vec![self.negation(depth, after)?];
        loop {
            match self.peek() {
                None | Some(Token::Close | Token::Or) => return Ok(all_of(parts)),
                Some(Token::And) => {
                    self.next += 1;
                    parts.push(self.negation(depth, Some("AND"))?);
                }
                Some(_) => parts.push(self.negation(depth, None)?),
            }
        }
    }

    fn negation(&mut self, depth: usize, after: After) -> Result<Expression, QueryError> {
        if depth >= DEPTH_MAX {
            return Err(self.problem(Problem::TooDeep));
        }
        match self.peek().cloned() {
            Some(Token::Not | Token::Minus) => {
                self.next += 1;
                Ok(Expression::Not(Box::new(self.negation(depth + 1, Some("NOT"))?)))
            }
            Some(Token::Open) => self.parenthesis(depth),
            Some(Token::Text(text)) => self.term(Ok(Term::Word(text))),
            Some(Token::Pair { key, value }) => self.term(pair(key, value)),
            missing => Err(self.problem(missing_operand(missing.as_ref(), after))),
        }
    }

    fn parenthesis(&mut self, depth: usize) -> Result<Expression, QueryError> {
        let unclosed = self.problem(Problem::UnclosedParenthesis);
        self.next += 1;
        match self.peek() {
            None => return Err(unclosed),
            Some(Token::Close) => return Err(self.problem(Problem::EmptyParentheses)),
            Some(_) => {}
        }
        let inner = self.either(depth + 1, None)?;
        if self.peek() != Some(&Token::Close) {
            return Err(unclosed);
        }
        self.next += 1;
        Ok(inner)
    }

    /// Takes the next token, which means `term`.
    fn term(&mut self, term: Result<Term, Problem>) -> Result<Expression, QueryError> {
        if self.terms == TERMS_MAX {
            return Err(self.problem(Problem::TooManyTerms));
        }
        let term = term.map_err(|problem| self.problem(problem))?;
        self.terms += 1;
        self.next += 1;
        Ok(Expression::Term(term))
    }
}

/// Why a token, or the end, cannot begin a condition.
fn missing_operand(found: Option<&Token>, after: After) -> Problem {
    match (after, found) {
        (Some(operator), _) => Problem::MissingOperand { operator, side: "after" },
        (None, Some(Token::And)) => Problem::MissingOperand { operator: "AND", side: "before" },
        (None, Some(Token::Or)) => Problem::MissingOperand { operator: "OR", side: "before" },
        (None, _) => Problem::UnopenedParenthesis,
    }
}

/// What `key:value` asks for.
fn pair(key: String, value: String) -> Result<Term, Problem> {
    Ok(match key.as_str() {
        "name" => Term::Name(value),
        "tag" => Term::Tag(value),
        "owner" => Term::Owner(value),
        "path" => Term::Below(Folder::parse(&value)?),
        // `size:large` asks for the size class that the tagger gives; no number starts with a letter.
        "size" if !value.starts_with(char::is_alphabetic) => Term::Size(SizeRange::parse(&value)?),
        "date" => Term::Date(DateRange::parse(&value)?),
        _ => Term::KindTag { kind: key, name: value },
    })
}

/// All the parts; those of inner conjunctions are lifted, so that equal queries have equal trees.
pub(super) fn all_of(parts: Vec<Expression>) -> Expression {
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Expression::And(inner) => flat.extend(inner),
            part => flat.push(part),
        }
    }
    if flat.len() == 1 { flat.remove(0) } else { Expression::And(flat) }
}

/// Any of the parts, like [`all_of`].
pub(super) fn any_of(parts: Vec<Expression>) -> Expression {
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Expression::Or(inner) => flat.extend(inner),
            part => flat.push(part),
        }
    }
    if flat.len() == 1 { flat.remove(0) } else { Expression::Or(flat) }
}
