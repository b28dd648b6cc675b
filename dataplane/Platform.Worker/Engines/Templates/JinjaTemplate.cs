using System.Text;

namespace Platform.Worker.Engines.Templates;

/// <summary>The part of Jinja that chat templates of language models are written in: text, outputs, <c>if</c>, <c>for</c>, <c>set</c>.</summary>
/// <remarks>Whole statements are checked when the template is made, expressions when they are computed.</remarks>
internal sealed class JinjaTemplate
{
    private const int LongestOutput = 16 << 20;

    private readonly IReadOnlyList<Piece> _pieces;
    private readonly List<List<string>> _words;

    /// <summary>Reads a template.</summary>
    /// <exception cref="TemplateException">It has a statement that is not interpreted, or one that does not end.</exception>
    public JinjaTemplate(string source)
    {
        _pieces = TemplateLexer.Cut(source);
        _words = [.. _pieces.Select(piece => piece.Kind == PieceKind.Text ? [] : TemplateLexer.Words(piece.Content))];
        var open = new Stack<string>();
        for (var at = 0; at < _pieces.Count; at++)
        {
            if (_pieces[at].Kind == PieceKind.Statement)
            {
                Check(_words[at], open);
            }
        }

        if (open.Count > 0)
        {
            throw new TemplateException($"'end{open.Peek()}' is missing");
        }
    }

    /// <summary>Renders with these names.</summary>
    public string Render(IEnumerable<KeyValuePair<string, object?>> values)
    {
        var scope = new TemplateScope(null);
        foreach (var (name, value) in values)
        {
            scope.Set(name, value);
        }

        var output = new StringBuilder();
        Run(0, _pieces.Count, scope, output);
        return output.ToString();
    }

    private static void Check(List<string> words, Stack<string> open)
    {
        switch (words.FirstOrDefault())
        {
            case "if":
                open.Push("if");
                break;
            case "for" when words.Count > 3 && words[2] == "in":
                open.Push("for");
                break;
            case "elif" or "else" when open.Count > 0 && open.Peek() == "if":
                break;
            case "endif" when open.Count > 0 && open.Peek() == "if":
            case "endfor" when open.Count > 0 && open.Peek() == "for":
                open.Pop();
                break;
            case "set" when words.Count > 3 && (words[2] == "=" || (words.Count > 5 && words[2] == "." && words[4] == "=")):
                break;
            default:
                throw new TemplateException($"the statement '{string.Join(' ', words.Take(4))}' is not interpreted");
        }
    }

    private void Run(int from, int to, TemplateScope scope, StringBuilder output)
    {
        for (var at = from; at < to; at++)
        {
            var (kind, words) = (_pieces[at].Kind, _words[at]);
            if (kind != PieceKind.Statement)
            {
                output.Append(kind == PieceKind.Text ? _pieces[at].Content : TemplateExpression.Text(TemplateExpression.Compute(words, scope)));
                if (output.Length > LongestOutput)
                {
                    throw new TemplateException($"the prompt has more than {LongestOutput} characters");
                }
            }
            else if (words[0] == "set")
            {
                Assign(words, scope);
            }
            else
            {
                var end = EndOf(at);
                if (words[0] == "for")
                {
                    Loop(words, at + 1, end, scope, output);
                }
                else
                {
                    Branch(at, end, scope, output);
                }

                at = end;
            }
        }
    }

    private static void Assign(List<string> words, TemplateScope scope)
    {
        if (words[2] == "=")
        {
            scope.Set(words[1], TemplateExpression.Compute(words[3..], scope));
        }
        else if (scope.TryGet(words[1], out var target) && target is IDictionary<string, object?> members)
        {
            members[words[3]] = TemplateExpression.Compute(words[5..], scope);
        }
        else
        {
            throw new TemplateException($"'{words[1]}' is no namespace");
        }
    }

    private void Loop(List<string> words, int from, int end, TemplateScope scope, StringBuilder output)
    {
        if (TemplateExpression.Compute(words[3..], scope) is not IList<object?> items)
        {
            throw new TemplateException($"'{string.Join(' ', words[3..])}' is no list");
        }

        for (var i = 0; i < items.Count; i++)
        {
            var inner = new TemplateScope(scope);
            inner.Set(words[1], items[i]);
            inner.Set("loop", new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["index"] = i + 1L,
                ["index0"] = (long)i,
                ["first"] = i == 0,
                ["last"] = i == items.Count - 1,
                ["length"] = (long)items.Count,
            });
            Run(from, end, inner, output);
        }
    }

    private void Branch(int at, int end, TemplateScope scope, StringBuilder output)
    {
        while (true)
        {
            var next = NextBranch(at + 1, end);
            var words = _words[at];
            if (words[0] == "else" || TemplateExpression.IsTrue(TemplateExpression.Compute(words[1..], scope)))
            {
                Run(at + 1, next, scope, output);
                return;
            }

            if (next == end)
            {
                return;
            }

            at = next;
        }
    }

    private int NextBranch(int from, int end)
    {
        for (var at = from; at < end; at++)
        {
            var word = _pieces[at].Kind == PieceKind.Statement ? _words[at][0] : "";
            if (word is "elif" or "else")
            {
                return at;
            }

            if (word is "if" or "for")
            {
                at = EndOf(at);
            }
        }

        return end;
    }

    /// <summary>The statement that ends the one at a position; there is one, as was checked.</summary>
    private int EndOf(int at)
    {
        var depth = 0;
        for (; ; at++)
        {
            if (_pieces[at].Kind == PieceKind.Statement)
            {
                depth += _words[at][0] switch { "if" or "for" => 1, "endif" or "endfor" => -1, _ => 0 };
                if (depth == 0)
                {
                    return at;
                }
            }
        }
    }
}
