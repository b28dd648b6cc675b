using System.Text;

namespace Platform.Worker.Engines.Templates;

/// <summary>What a piece of a template is.</summary>
internal enum PieceKind
{
    /// <summary>Text as it stands.</summary>
    Text,

    /// <summary><c>{{ ... }}</c>.</summary>
    Output,

    /// <summary><c>{% ... %}</c>.</summary>
    Statement,
}

/// <summary>A piece of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Content">The text, or what stands between the delimiters.</param>
internal sealed record Piece(PieceKind Kind, string Content);

/// <summary>Cuts a template into text, outputs and statements, and words of expressions out of those.</summary>
/// <remarks>White space as Hugging Face renders chats: <c>trim_blocks</c> and <c>lstrip_blocks</c> are on, and <c>-</c> at a delimiter takes all white space on that side.</remarks>
internal static class TemplateLexer
{
    private static readonly string[] Operators = ["==", "!=", "<=", ">=", "(", ")", "[", "]", "{", "}", ",", ".", "|", "+", "-", "*", "/", "%", "~", "<", ">", "=", ":"];

    /// <summary>The pieces in order; comments are gone.</summary>
    public static IReadOnlyList<Piece> Cut(string template)
    {
        var pieces = new List<Piece>();
        var at = 0;
        var trimStart = false;
        while (at < template.Length)
        {
            var open = NextOpening(template, at);
            var text = template[at..(open < 0 ? template.Length : open)];
            if (trimStart)
            {
                text = text.TrimStart();
            }

            if (open < 0)
            {
                Add(pieces, text);
                break;
            }

            var kind = template[open + 1];
            var close = kind switch { '{' => "}}", '%' => "%}", _ => "#}" };
            var begin = open + 2;
            if (begin < template.Length && template[begin] == '-')
            {
                text = text.TrimEnd();
                begin++;
            }
            else if (kind != '{')
            {
                text = WithoutIndentation(text, at == 0 || template[at - 1] == '\n');
            }

            Add(pieces, text);
            var end = ClosingOf(template, begin, close, kind);
            var inner = template[begin..end];
            trimStart = inner.EndsWith('-');
            inner = (trimStart ? inner[..^1] : inner).Trim();
            at = end + 2;
            if (kind != '{' && !trimStart && at < template.Length && template[at] == '\n')
            {
                at++;
            }

            if (kind != '#')
            {
                pieces.Add(new Piece(kind == '{' ? PieceKind.Output : PieceKind.Statement, inner));
            }
        }

        return pieces;
    }

    /// <summary>The words of an expression or statement. Strings keep their opening quote, so that they differ from names.</summary>
    public static List<string> Words(string content)
    {
        var words = new List<string>();
        var at = 0;
        while (at < content.Length)
        {
            var character = content[at];
            if (char.IsWhiteSpace(character))
            {
                at++;
            }
            else if (character is '\'' or '"')
            {
                words.Add(ReadString(content, ref at));
            }
            else if (char.IsLetterOrDigit(character) || character == '_')
            {
                var start = at;
                while (at < content.Length && (char.IsLetterOrDigit(content[at]) || content[at] == '_'))
                {
                    at++;
                }

                words.Add(content[start..at]);
            }
            else
            {
                var found = Array.Find(Operators, known => content.AsSpan(at).StartsWith(known, StringComparison.Ordinal))
                    ?? throw new TemplateException($"'{character}' is not interpreted");
                words.Add(found);
                at += found.Length;
            }
        }

        return words;
    }

    private static void Add(List<Piece> pieces, string text)
    {
        if (text.Length > 0)
        {
            pieces.Add(new Piece(PieceKind.Text, text));
        }
    }

    private static int NextOpening(string template, int from)
    {
        for (var i = from; i + 1 < template.Length; i++)
        {
            if (template[i] == '{' && template[i + 1] is ('{' or '%' or '#'))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>The closing delimiter, not one within a string.</summary>
    private static int ClosingOf(string template, int from, string close, char kind)
    {
        for (var i = from; i + 1 < template.Length; i++)
        {
            if (kind != '#' && template[i] is ('\'' or '"'))
            {
                _ = ReadString(template, ref i);
                i--;
            }
            else if (string.CompareOrdinal(template, i, close, 0, 2) == 0)
            {
                return i;
            }
        }

        throw new TemplateException($"'{close}' is missing");
    }

    private static string WithoutIndentation(string text, bool beginsLine)
    {
        var end = text.Length;
        while (end > 0 && text[end - 1] is (' ' or '\t'))
        {
            end--;
        }

        return (end == 0 && beginsLine) || (end > 0 && text[end - 1] == '\n') ? text[..end] : text;
    }

    private static string ReadString(string content, ref int at)
    {
        var quote = content[at++];
        var text = new StringBuilder("'");
        while (at < content.Length && content[at] != quote)
        {
            if (content[at] == '\\' && at + 1 < content.Length)
            {
                at++;
                text.Append(content[at] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', var other => other });
            }
            else
            {
                text.Append(content[at]);
            }

            at++;
        }

        at++;
        return text.ToString();
    }
}
