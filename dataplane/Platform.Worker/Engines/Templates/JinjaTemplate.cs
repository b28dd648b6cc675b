using System.Text;

namespace Platform.Worker.Engines.Templates;

/// <summary>The part of Jinja that chat templates of language models are written in: text, outputs, <c>if</c>, <c>for</c>, <c>set</c>.</summary>
/// <remarks>Whole statements are checked when the template is made, expressions when they are computed.</remarks>
internal sealed class JinjaTemplate
{
    /// <summary>Statements within statements: each takes a piece of the stack when it runs.</summary>
    private const int DeepestNesting = 64;

    private readonly IReadOnlyList<Piece> _pieces;
    private readonly List<List<string>> _words;

    /// <summary>By the position of a statement that has others within it: where its next branch, or its end, stands.</summary>
    private readonly int[] _next;

    /// <summary>Reads a template.</summary>
    /// <exception cref="TemplateException">It has a statement that is not interpreted, or one that does not end.</exception>
    public JinjaTemplate(string source)
    {
        _pieces = TemplateLexer.Cut(source);
        _words = [.. _pieces.Select(piece => piece.Kind == PieceKind.Text ? [] : TemplateLexer.Words(piece.Content))];
        _next = new int[_pieces.Count];
        var open = new Stack<(string Kind, int Branch)>();
        for (var at = 0; at < _pieces.Count; at++)
        {
            if (_pieces[at].Kind == PieceKind.Statement)
            {
                Check(at, open);
            }
        }

        if (open.Count > 0)
        {
            throw new TemplateException($"'end{open.Peek().Kind}' is missing");
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

    private void Check(int at, Stack<(string Kind, int Branch)> open)
    {
        var words = _words[at];
        var inside = open.TryPeek(out var outer) ? outer.Kind : null;
        switch (words.FirstOrDefault())
        {
            case "if" or "for" when open.Count == DeepestNesting:
                throw new TemplateException($"statements are nested more than {DeepestNesting} deep");
            case "if":
                open.Push(("if", at));
                break;
            case "for" when words.Count > 3 && words[2] == "in":
                open.Push(("for", at));
                break;
            case "elif" or "else" when inside == "if":
                _next[open.Pop().Branch] = at;
                open.Push(("if", at));
                break;
            case "endif" when inside == "if":
            case "endfor" when inside == "for":
                _next[open.Pop().Branch] = at;
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
                var text = kind == PieceKind.Text ? _pieces[at].Content : TemplateExpression.Text(TemplateExpression.Compute(words, scope));
                scope.Budget.Spend(text.Length);
                output.Append(text);
            }
            else if (words[0] == "set")
            {
                Assign(words, scope);
            }
            else if (words[0] == "for")
            {
                Loop(words, at + 1, _next[at], scope, output);
                at = _next[at];
            }
            else
            {
                at = Branch(at, scope, output);
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
            scope.Budget.Spend(TemplateBudget.OfATurn);
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

    /// <summary>Runs the first branch whose condition holds.</summary>
    /// <returns>Where the statement ends.</returns>
    private int Branch(int at, TemplateScope scope, StringBuilder output)
    {
        var done = false;
        for (; _words[at][0] != "endif"; at = _next[at])
        {
            if (!done && (_words[at][0] == "else" || TemplateExpression.IsTrue(TemplateExpression.Compute(_words[at][1..], scope))))
            {
                Run(at + 1, _next[at], scope, output);
                done = true;
            }
        }

        return at;
    }
}
