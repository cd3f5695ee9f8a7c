"""A Pygments lexer, so that documents and code hosts can colour specs."""

from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_UNIT = r"(?:%|(?!(?:and|or|not|in|by|else|as|extends|if)\b)[A-Za-z]+(?:/[A-Za-z]+)?)"


class SpecLexer(RegexLexer):
    """Colours the specc language."""

    name = "specc"
    aliases: ClassVar[list[str]] = ["specc"]
    filenames: ClassVar[list[str]] = ["*.spec"]
    url = ""
    tokens: ClassVar = {
        "root": [
            (r"\s+", Whitespace),
            (r"##[^\n]*", Comment.Special),
            (r"#[^\n]*", Comment.Single),
            (r'"(?:[^"\\\n]|\\.)*"', String.Double),
            (r"(use)(\s+)(std(?:\." + _NAME + ")*)", bygroups(Keyword, Whitespace, Name.Namespace)),
            (r"(let)(\s+)(" + _NAME + ")", bygroups(Keyword, Whitespace, Name.Variable)),
            (
                r"(extends)([ \t]+)(" + _NAME + r"(?:\." + _NAME + ")*)",
                bygroups(Keyword, Whitespace, Name.Class),
            ),
            (r"(?:use|as|let|extends|sweep|zip|in|by|assert|expect|else)\b", Keyword),
            (r"(?:and|or|not)\b", Operator.Word),
            (r"(?:true|false|auto)\b", Keyword.Constant),
            (
                r"(\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?(?:(?:[KMGT]i|[kMGT])(?![A-Za-z]))?)"
                r"([ \t]*)(" + _UNIT + ")?",
                bygroups(Number, Whitespace, Keyword.Type),
            ),
            (
                "(" + _NAME + r")([ \t]+)(" + _NAME + r")(?=[ \t]*(?:extends\b[^\n{]*)?\{)",
                bygroups(Keyword.Declaration, Whitespace, Name.Class),
            ),
            (_NAME + r"(?=[ \t]*\{)", Keyword.Declaration),
            (_NAME + r"(?=(?:\." + _NAME + r")*\s*(?:=(?!=)|<=|>=|<|>))", Name.Attribute),
            (_NAME + r"(?=\()", Name.Function),
            (_NAME, Name),
            (r"<=|>=|==|!=|\.\.|[=<>+\-*/]", Operator),
            (r"[{}()\[\],;.|]", Punctuation),
            (r".", Punctuation),
        ]
    }
