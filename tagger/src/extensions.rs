//! What the extension of a readable file says: text has no magic numbers.

/// The class and format that an extension stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextFormat {
    /// `text`, `code` or `data`.
    pub(crate) class: &'static str,
    /// The format's name as people search for it.
    pub(crate) name: &'static str,
}

/// Class, format, extensions (in lower case).
const TEXT_FORMATS: &[(&str, &str, &[&str])] = &[
    ("text", "txt", &["txt", "text", "log", "me"]),
    ("text", "markdown", &["md", "markdown", "mdown", "mkd"]),
    ("text", "rst", &["rst"]),
    ("text", "asciidoc", &["adoc", "asciidoc"]),
    ("text", "org", &["org"]),
    ("text", "html", &["html", "htm", "xhtml"]),
    ("code", "tex", &["tex", "sty", "cls", "bib"]),
    ("code", "rust", &["rs"]),
    ("code", "c", &["c", "h"]),
    ("code", "c++", &["cc", "cpp", "cxx", "hpp", "hh", "hxx"]),
    ("code", "c#", &["cs"]),
    ("code", "go", &["go"]),
    ("code", "java", &["java"]),
    ("code", "kotlin", &["kt", "kts"]),
    ("code", "scala", &["scala"]),
    ("code", "swift", &["swift"]),
    ("code", "python", &["py", "pyi", "pyx"]),
    ("code", "javascript", &["js", "mjs", "cjs", "jsx"]),
    ("code", "typescript", &["ts", "mts", "tsx"]),
    ("code", "vue", &["vue"]),
    ("code", "css", &["css", "scss", "less"]),
    ("code", "ruby", &["rb"]),
    ("code", "perl", &["pl", "pm"]),
    ("code", "php", &["php"]),
    ("code", "lua", &["lua"]),
    ("code", "r", &["r"]),
    ("code", "julia", &["jl"]),
    ("code", "matlab", &["m"]),
    ("code", "haskell", &["hs"]),
    ("code", "ocaml", &["ml", "mli"]),
    ("code", "erlang", &["erl", "hrl"]),
    ("code", "elixir", &["ex", "exs"]),
    ("code", "zig", &["zig"]),
    ("code", "fortran", &["f", "f90", "f95", "f03"]),
    ("code", "assembly", &["asm", "s"]),
    ("code", "shell", &["sh", "bash", "zsh", "fish"]),
    ("code", "powershell", &["ps1", "psm1"]),
    ("code", "batch", &["bat", "cmd"]),
    ("code", "vim", &["vim"]),
    ("code", "sql", &["sql"]),
    ("code", "protobuf", &["proto"]),
    ("code", "makefile", &["mk", "mak"]),
    ("code", "cmake", &["cmake"]),
    ("code", "diff", &["diff", "patch"]),
    ("data", "json", &["json", "jsonl", "ndjson", "geojson", "ipynb"]),
    ("data", "csv", &["csv"]),
    ("data", "tsv", &["tsv", "tab"]),
    ("data", "yaml", &["yaml", "yml"]),
    ("data", "toml", &["toml"]),
    ("data", "ini", &["ini", "cfg", "conf", "properties", "service", "desktop"]),
    ("data", "xml", &["xml", "xsd", "xsl"]),
    ("data", "lock", &["lock"]),
    ("data", "svg", &["svg"]),
];

/// What a readable file with this extension (lower case, no dot) is.
pub(crate) fn text_format(extension: &str) -> Option<TextFormat> {
    TEXT_FORMATS
        .iter()
        .find(|(_, _, extensions)| extensions.contains(&extension))
        .map(|&(class, name, _)| TextFormat { class, name })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_extension_stands_for_one_format() {
        let mut seen = HashSet::new();
        for extension in TEXT_FORMATS.iter().flat_map(|(_, _, extensions)| *extensions) {
            assert!(seen.insert(extension), "{extension} is listed twice");
            assert_eq!(*extension, extension.to_lowercase());
        }
    }

    #[test]
    fn known_and_unknown_extensions() {
        assert_eq!(text_format("rs"), Some(TextFormat { class: "code", name: "rust" }));
        assert_eq!(text_format(""), None);
        assert_eq!(text_format("docx"), None);
    }
}
