namespace Platform.Local.Sidecar.Expressions;

/// <summary>Recursive descent over the words of one expression.</summary>
internal sealed class CelParser(string text, IReadOnlyCollection<string> variables)
{
    private readonly List<CelToken> _tokens = CelToken.Split(text);
    private int _next;

    private CelToken Current => _tokens[_next];

    public CelNode Parse()
    {
        var root = Or();
        return Current.Kind == CelTokenKind.End ? root : throw Unexpected();
    }

    private CelException Unexpected() => new($"character {Current.At}: '{Current.Word}' is not expected here, or not supported");

    private bool Take(string symbol)
    {
        if (Current.Kind is CelTokenKind.Symbol or CelTokenKind.Name && Current.Word == symbol)
        {
            _next++;
            return true;
        }

        return false;
    }

    private void Require(string symbol)
    {
        if (!Take(symbol))
        {
            throw new CelException($"character {Current.At}: found '{Current.Word}', expected '{symbol}'");
        }
    }

    private CelNode Or()
    {
        var left = And();
        while (Take("||"))
        {
            var (first, second) = (left, And());
            left = variable => CelValues.Bool(first(variable)) || CelValues.Bool(second(variable));
        }

        return left;
    }

    private CelNode And()
    {
        var left = Not();
        while (Take("&&"))
        {
            var (first, second) = (left, Not());
            left = variable => CelValues.Bool(first(variable)) && CelValues.Bool(second(variable));
        }

        return left;
    }

    private CelNode Not()
    {
        if (Take("!"))
        {
            var operand = Not();
            return variable => !CelValues.Bool(operand(variable));
        }

        return Relation();
    }

    private CelNode Relation()
    {
        var left = Negation();
        foreach (var symbol in (string[])["==", "!=", "<=", ">=", "<", ">", "in"])
        {
            if (Take(symbol))
            {
                var right = Negation();
                return symbol switch
                {
                    "==" => variable => CelValues.AreEqual(left(variable), right(variable)),
                    "!=" => variable => !CelValues.AreEqual(left(variable), right(variable)),
                    "<" => variable => CelValues.Compare(left(variable), right(variable)) < 0,
                    "<=" => variable => CelValues.Compare(left(variable), right(variable)) <= 0,
                    ">" => variable => CelValues.Compare(left(variable), right(variable)) > 0,
                    ">=" => variable => CelValues.Compare(left(variable), right(variable)) >= 0,
                    _ => variable => CelValues.IsIn(left(variable), right(variable)),
                };
            }
        }

        return left;
    }

    private CelNode Negation()
    {
        if (Take("-"))
        {
            var operand = Negation();
            return variable => -CelValues.Number(operand(variable));
        }

        return Member();
    }

    private CelNode Member()
    {
        var node = Primary();
        while (true)
        {
            if (Take("."))
            {
                var name = Name();
                node = Take("(") ? Method(node, name, Arguments(")")) : Access(node, name);
            }
            else if (Take("["))
            {
                var (target, index) = (node, Or());
                Require("]");
                node = variable => CelValues.Index(target(variable), index(variable));
            }
            else
            {
                return node;
            }
        }
    }

    private static CelNode Access(CelNode target, string name) => variable => CelValues.Member(target(variable), name);

    private CelNode Primary()
    {
        var token = Current;
        switch (token.Kind)
        {
            case CelTokenKind.Number:
                _next++;
                return _ => token.Value;
            case CelTokenKind.Text:
                _next++;
                return _ => token.Word;
            case CelTokenKind.Name:
                return NameOrFunction();
        }

        if (Take("("))
        {
            var inner = Or();
            Require(")");
            return inner;
        }

        if (Take("["))
        {
            var items = Arguments("]");
            return variable => items.ConvertAll(item => item(variable));
        }

        throw Unexpected();
    }

    private CelNode NameOrFunction()
    {
        var token = Current;
        var name = Name();
        if (Take("("))
        {
            return Function(token, name, Arguments(")"));
        }

        return name switch
        {
            "true" => _ => true,
            "false" => _ => false,
            "null" => _ => null,
            _ when variables.Contains(name) => variable => variable(name),
            _ => throw new CelException($"character {token.At}: '{name}' is not known; known: {string.Join(", ", variables)}"),
        };
    }

    private string Name()
    {
        if (Current.Kind != CelTokenKind.Name)
        {
            throw Unexpected();
        }

        return _tokens[_next++].Word;
    }

    private List<CelNode> Arguments(string close)
    {
        var arguments = new List<CelNode>();
        if (Take(close))
        {
            return arguments;
        }

        do
        {
            arguments.Add(Or());
        }
        while (Take(","));
        Require(close);
        return arguments;
    }

    private static CelNode Function(CelToken at, string name, List<CelNode> arguments)
    {
        if (arguments is not [var argument])
        {
            throw new CelException($"character {at.At}: '{name}' is not supported with {arguments.Count} arguments");
        }

        return name switch
        {
            "has" => variable => CelValues.Has(() => argument(variable)),
            "size" => variable => CelValues.Size(argument(variable)),
            "int" => variable => Math.Truncate(CelValues.ToNumber(argument(variable))),
            "double" => variable => CelValues.ToNumber(argument(variable)),
            "string" => variable => CelValues.ToText(argument(variable)),
            _ => throw new CelException($"character {at.At}: function '{name}' is not supported; supported: has, size, int, double, string"),
        };
    }

    private CelNode Method(CelNode target, string name, List<CelNode> arguments) => (name, arguments) switch
    {
        ("startsWith", [var start]) => variable => CelValues.Text(target(variable)).StartsWith(CelValues.Text(start(variable)), StringComparison.Ordinal),
        ("endsWith", [var end]) => variable => CelValues.Text(target(variable)).EndsWith(CelValues.Text(end(variable)), StringComparison.Ordinal),
        ("contains", [var part]) => variable => CelValues.Text(target(variable)).Contains(CelValues.Text(part(variable)), StringComparison.Ordinal),
        ("matches", [var pattern]) => variable => CelValues.Matches(CelValues.Text(target(variable)), CelValues.Text(pattern(variable))),
        ("size", []) => variable => CelValues.Size(target(variable)),
        _ => throw new CelException($"character {Current.At}: method '{name}' is not supported; supported: startsWith, endsWith, contains, matches, size"),
    };
}
