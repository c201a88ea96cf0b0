//! The oracle: what may be in every place, by what was answered; and what must not be.
//!
//! Each path is changed by one client at a time. What was acknowledged is there and nothing else; what was refused changed nothing; what
//! had no answer happened or did not, and stays what it was once seen to be.

use crate::content::Content;
use bytes::Bytes;
use std::{collections::BTreeMap, ops::Range};

/// What a violation is told as.
pub type Verdict = Result<(), String>;

/// Everything that clients know.
#[derive(Default)]
pub struct Ledger {
    files: BTreeMap<String, Vec<Option<Content>>>,
    /// What was compared.
    pub compared: Compared,
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Whole files and ranges.
    pub reads: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Lists.
    pub lists: u64,
}

impl Ledger {
    /// What may be at a path.
    pub fn possible(&self, path: &str) -> Vec<Option<Content>> {
        self.files.get(path).cloned().unwrap_or_else(|| vec![None])
    }

    /// All paths that were ever touched.
    pub fn paths(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    /// This is there now, for sure.
    pub fn set(&mut self, path: &str, there: Option<Content>) {
        self.files.insert(path.to_owned(), vec![there]);
    }

    /// This may be there now, too.
    pub fn may_be(&mut self, path: &str, there: Option<Content>) {
        let mut possible = self.possible(path);
        if !possible.contains(&there) {
            possible.push(there);
        }
        self.files.insert(path.to_owned(), possible);
    }

    /// A path was said to hold nothing.
    ///
    /// # Errors
    /// Something acknowledged must be there.
    pub fn saw_nothing(&mut self, path: &str) -> Verdict {
        let possible = self.possible(path);
        if !possible.contains(&None) {
            return Err(format!("{path} is gone, but must be one of {possible:?}"));
        }
        self.set(path, None);
        Ok(())
    }

    /// Something was there.
    ///
    /// # Errors
    /// Nothing may be there.
    pub fn saw_something(&mut self, path: &str) -> Verdict {
        let mut possible = self.possible(path);
        possible.retain(Option::is_some);
        if possible.is_empty() {
            return Err(format!("{path} is there, but was deleted or never stored"));
        }
        self.files.insert(path.to_owned(), possible);
        Ok(())
    }

    /// A whole file was read.
    ///
    /// # Errors
    /// It is none that may be there.
    pub fn saw(&mut self, path: &str, bytes: &Bytes) -> Verdict {
        let mut possible = self.possible(path);
        possible.retain(|there| there.is_some_and(|content| content.make() == bytes));
        self.compared.reads += 1;
        self.compared.bytes += bytes.len() as u64;
        if possible.is_empty() {
            return Err(self.wrong(path, bytes.len()));
        }
        self.files.insert(path.to_owned(), possible);
        Ok(())
    }

    /// A range of a file was read.
    ///
    /// # Errors
    /// It is none of a file that may be there.
    pub fn saw_range(&mut self, path: &str, range: Range<u64>, bytes: &Bytes) -> Verdict {
        self.compared.reads += 1;
        self.compared.bytes += bytes.len() as u64;
        let fits = |content: Content| {
            let end = range.end.min(content.bytes);
            range.start <= end && content.make().slice(range.start as usize..end as usize) == bytes
        };
        match self.possible(path).into_iter().flatten().any(fits) {
            true => Ok(()),
            false => Err(self.wrong(path, bytes.len())),
        }
    }

    /// A folder's files were listed in full.
    ///
    /// # Errors
    /// One is missing, or is there that may not be.
    pub fn saw_list(&mut self, folder: &str, listed: &[String]) -> Verdict {
        self.compared.lists += 1;
        let below = format!("{folder}/");
        for path in self.paths().iter().filter(|path| path.starts_with(&below)) {
            match listed.contains(path) {
                true => self.saw_something(path)?,
                false => self.saw_nothing(path)?,
            }
        }
        match listed.iter().find(|path| !self.files.contains_key(*path)) {
            Some(ghost) => Err(format!("{ghost} is listed, but nobody made it")),
            None => Ok(()),
        }
    }

    fn wrong(&self, path: &str, bytes: usize) -> String {
        format!("{path} gave {bytes} bytes that are none of {:?}", self.possible(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Content = Content { number: 1, bytes: 10 };
    const NEW: Content = Content { number: 2, bytes: 10 };

    fn with(possible: &[Option<Content>]) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.set("/a/f", possible[0]);
        possible.iter().for_each(|there| ledger.may_be("/a/f", *there));
        ledger
    }

    #[test]
    fn what_was_acknowledged_must_be_there_and_nothing_else() {
        let mut ledger = with(&[Some(NEW)]);
        assert!(ledger.saw("/a/f", &NEW.make()).is_ok());
        assert!(ledger.saw("/a/f", &OLD.make()).is_err(), "an old version");
        assert!(ledger.saw("/a/f", &NEW.make().slice(..9)).is_err(), "a short one");
        assert!(ledger.saw_range("/a/f", 3..5, &NEW.make().slice(3..5)).is_ok());
        assert!(ledger.saw_range("/a/f", 3..5, &NEW.make().slice(4..6)).is_err());
        assert!(ledger.saw_nothing("/a/f").is_err());
        assert!(ledger.saw_list("/a", &[]).is_err());
        assert!(ledger.saw_list("/a", &["/a/f".into(), "/a/g".into()]).is_err(), "a ghost");
    }

    #[test]
    fn what_was_deleted_stays_away() {
        let mut ledger = with(&[None]);
        assert!(ledger.saw_nothing("/a/f").is_ok());
        assert!(ledger.saw_something("/a/f").is_err());
        assert!(ledger.saw("/a/f", &OLD.make()).is_err());
        assert!(ledger.saw_list("/a", &["/a/f".into()]).is_err());
    }

    #[test]
    fn what_had_no_answer_stays_what_it_was_seen_to_be() {
        let mut ledger = with(&[Some(OLD), Some(NEW)]);
        assert!(ledger.saw("/a/f", &NEW.make()).is_ok());
        assert!(ledger.saw("/a/f", &OLD.make()).is_err());
        let mut ledger = with(&[Some(OLD), None]);
        assert!(ledger.saw_nothing("/a/f").is_ok());
        assert!(ledger.saw("/a/f", &OLD.make()).is_err());
    }
}
