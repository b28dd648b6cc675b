using System.Globalization;

namespace Platform.Worker.Engines.Templates;

/// <summary>Computes an expression of a template while it reads it: conditional, or, and, not, comparison, sum, product, filter, member.</summary>
/// <remarks>Values: null, bool, long, string, list, dictionary. What is not interpreted is a <see cref="TemplateException"/>; then another template is used, never half a prompt.</remarks>
internal sealed class TemplateExpression(List<string> words, TemplateScope scope)
{
    /// <summary>Brackets, signs and conditions within each other: each level takes a piece of the stack, and the search for its condition goes through all that is in it.</summary>
    private const int DeepestNesting = 64;

    private static readonly object Undefined = new();
    private int _at;
    private int _depth;

    /// <summary>Values of <c>{{ a b }}</c>-like leftovers are faults.</summary>
    public static object? Compute(List<string> words, TemplateScope scope)
    {
        scope.Budget.Spend((long)words.Count * TemplateBudget.OfAWord);
        var expression = new TemplateExpression(words, scope);
        var value = expression.Conditional();
        return expression._at == words.Count ? Defined(value) : throw new TemplateException($"'{words[expression._at]}' is not interpreted where it stands");
    }

    /// <summary>What counts as true.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null => false,
        bool flag => flag,
        long number => number != 0,
        string text => text.Length > 0,
        IList<object?> list => list.Count > 0,
        IDictionary<string, object?> map => map.Count > 0,
        _ => value != Undefined,
    };

    /// <summary>A value as it is written out.</summary>
    public static string Text(object? value) => value switch
    {
        null => "None",
        string text => text,
        bool flag => flag ? "True" : "False",
        long number => number.ToString(CultureInfo.InvariantCulture),
        _ => throw new TemplateException("a list or a mapping is written out"),
    };

    private static object? Defined(object? value) => value == Undefined ? "" : value;

    private string? Peek => _at < words.Count ? words[_at] : null;

    private bool Take(string word)
    {
        if (Peek != word)
        {
            return false;
        }

        _at++;
        return true;
    }

    private void Expect(string word)
    {
        if (!Take(word))
        {
            throw new TemplateException($"'{word}' is missing before '{Peek}'");
        }
    }

    private string Next() => Peek is { } word && ++_at > 0 ? word : throw new TemplateException("an expression ends early");

    private object? Conditional() => Nested(WholeConditional);

    /// <summary>Goes one level deeper.</summary>
    private object? Nested(Func<object?> inner)
    {
        if (++_depth > DeepestNesting)
        {
            throw new TemplateException($"an expression is nested more than {DeepestNesting} deep");
        }

        var value = inner();
        _depth--;
        return value;
    }

    /// <summary>A value that was made from others, paid for.</summary>
    private object? Made(object? value)
    {
        scope.Budget.Spend(value switch { string text => text.Length, IList<object?> list => list.Count, _ => 0 });
        return value;
    }

    private object? WholeConditional()
    {
        var start = _at;
        if (Find(_at, "if") is not { } condition)
        {
            return Or();
        }

        // The value stands before its condition and may only be computed if that holds.
        _at = condition + 1;
        var holds = IsTrue(Or());
        var hasOther = Take("else");
        if (!holds)
        {
            return hasOther ? Conditional() : Undefined;
        }

        Skip();
        var end = _at;
        _at = start;
        var value = Or();
        _at = _at == condition ? end : throw new TemplateException($"'{Peek}' is not interpreted where it stands");
        return value;
    }

    private object? Or()
    {
        var left = And();
        while (Take("or"))
        {
            if (IsTrue(left))
            {
                Skip("or", "if", "else");
            }
            else
            {
                left = And();
            }
        }

        return left;
    }

    private object? And()
    {
        var left = Not();
        while (Take("and"))
        {
            if (IsTrue(left))
            {
                left = Not();
            }
            else
            {
                Skip("and", "or", "if", "else");
            }
        }

        return left;
    }

    /// <summary>Goes past an operand that is not computed: to one of these words, or to the end of the expression around it.</summary>
    private void Skip(params ReadOnlySpan<string> stops)
    {
        for (var depth = 0; _at < words.Count; _at++)
        {
            var word = words[_at];
            if (depth == 0 && (word is ")" or "]" or "," or ":" || stops.Contains(word)))
            {
                return;
            }

            depth += word is "(" or "[" ? 1 : word is ")" or "]" ? -1 : 0;
        }
    }

    /// <summary>Where a word stands in this expression, not in one within brackets; null if it does not.</summary>
    private int? Find(int from, string sought)
    {
        var at = _at;
        _at = from;
        Skip(sought);
        (var found, _at) = (_at, at);
        return found < words.Count && words[found] == sought ? found : null;
    }

    private object? Not() => Take("not") ? !IsTrue(Nested(Not)) : Comparison();

    private object? Comparison()
    {
        var left = Sum();
        while (true)
        {
            if (Take("=="))
            {
                left = AreEqual(left, Sum());
            }
            else if (Take("!="))
            {
                left = !AreEqual(left, Sum());
            }
            else if (Peek is "<" or ">" or "<=" or ">=")
            {
                left = Compare(Next(), left, Sum());
            }
            else if (Take("in"))
            {
                left = Contains(Sum(), left);
            }
            else if (Peek == "not" && _at + 1 < words.Count && words[_at + 1] == "in")
            {
                _at += 2;
                left = !Contains(Sum(), left);
            }
            else if (Take("is"))
            {
                var not = Take("not");
                left = Test(left, Next()) != not;
            }
            else
            {
                return left;
            }
        }
    }

    private static bool Test(object? value, string test) => test switch
    {
        "defined" => value != Undefined,
        "undefined" => value == Undefined,
        "none" => value is null,
        "string" => value is string,
        "mapping" => value is IDictionary<string, object?>,
        "iterable" or "sequence" => value is IList<object?> or string,
        "true" => value is true,
        "false" => value is false,
        _ => throw new TemplateException($"the test '{test}' is not interpreted"),
    };

    private static bool AreEqual(object? left, object? right) => left is long or string or bool or null ? Equals(left, right) : left == right;

    private static bool Compare(string by, object? left, object? right) => (left, right) switch
    {
        (long a, long b) => by switch { "<" => a < b, ">" => a > b, "<=" => a <= b, _ => a >= b },
        _ => throw new TemplateException($"'{by}' compares whole numbers only"),
    };

    private static bool Contains(object? whole, object? part) => whole switch
    {
        string text => part is string piece && text.Contains(piece, StringComparison.Ordinal),
        IList<object?> list => list.Any(item => AreEqual(item, part)),
        IDictionary<string, object?> map => part is string key && map.ContainsKey(key),
        _ => throw new TemplateException("'in' looks into text, lists and mappings only"),
    };

    private object? Sum()
    {
        var left = Product();
        while (Peek is "+" or "-" or "~")
        {
            var by = Next();
            var right = Product();
            left = Made((by, Defined(left), Defined(right)) switch
            {
                ("~", var a, var b) => Text(a) + Text(b),
                ("+", string a, string b) => a + b,
                ("+", long a, long b) => a + b,
                ("+", IList<object?> a, IList<object?> b) => a.Concat(b).ToList(),
                ("-", long a, long b) => a - b,
                _ => throw new TemplateException($"'{by}' joins text with text, numbers with numbers"),
            });
        }

        return left;
    }

    private object? Product()
    {
        var left = Unary();
        while (Peek is "%" or "*")
        {
            var by = Next();
            left = (left, Unary()) switch
            {
                (long a, long b) when by == "*" => a * b,
                (long a, long b) when b != 0 => a % b,
                _ => throw new TemplateException($"'{by}' takes whole numbers"),
            };
        }

        return left;
    }

    private object? Unary() => Take("-") ? Nested(Unary) is long number ? -number : throw new TemplateException("'-' takes a whole number") : Postfix();

    private object? Postfix()
    {
        var value = Primary();
        while (true)
        {
            if (Take("."))
            {
                var name = Next();
                value = Peek == "(" ? Made(TemplateFunctions.Method(Defined(value), name, Arguments(), scope.Budget)) : Member(value, name);
            }
            else if (Take("["))
            {
                value = Index(value);
            }
            else if (Take("|"))
            {
                var name = Next();
                value = Made(TemplateFunctions.Filter(value == Undefined ? null : value, value == Undefined, name, Peek == "(" ? Arguments() : [], scope.Budget));
            }
            else
            {
                return value;
            }
        }
    }

    private object? Primary()
    {
        var word = Peek ?? throw new TemplateException("an expression ends early");
        _at++;
        switch (word)
        {
            case "(":
                var inner = Conditional();
                Expect(")");
                return inner;
            case "[":
                return Items("]");
            case "true" or "True":
                return true;
            case "false" or "False":
                return false;
            case "none" or "None":
                return null;
        }

        if (word[0] == '\'')
        {
            return word[1..];
        }

        if (char.IsDigit(word[0]))
        {
            return long.TryParse(word, CultureInfo.InvariantCulture, out var number) ? number : throw new TemplateException($"'{word}' is no whole number");
        }

        return Peek == "(" && scope.Functions.TryGetValue(word, out var function) ? Made(function(NamedArguments()))
            : scope.TryGet(word, out var value) ? value
            : char.IsLetter(word[0]) || word[0] == '_' ? Undefined
            : throw new TemplateException($"'{word}' is not interpreted where it stands");
    }

    private static object? Member(object? value, string name) => value is IDictionary<string, object?> map ? map.TryGetValue(name, out var found) ? found : Undefined
        : value == Undefined ? throw new TemplateException($"'.{name}' of something that is not there")
        : Undefined;

    private object? Index(object? value)
    {
        var from = Peek == ":" ? null : Conditional();
        if (!Take(":"))
        {
            Expect("]");
            return (value, from) switch
            {
                (IDictionary<string, object?>, string name) => Member(value, name),
                (IList<object?> list, long at) => (at < 0 ? at + list.Count : at) is var index && index >= 0 && index < list.Count ? list[(int)index] : Undefined,
                (string text, long at) => (at < 0 ? at + text.Length : at) is var index && index >= 0 && index < text.Length ? text[(int)index].ToString() : Undefined,
                _ => throw new TemplateException("'[...]' takes a position of a list or a name of a mapping"),
            };
        }

        var to = Peek == "]" ? null : Conditional();
        Expect("]");
        return Made(value switch
        {
            IList<object?> list => list.Skip(Bound(from, list.Count, 0)).Take(Math.Max(0, Bound(to, list.Count, list.Count) - Bound(from, list.Count, 0))).ToList(),
            string text => text[Bound(from, text.Length, 0)..Math.Max(Bound(from, text.Length, 0), Bound(to, text.Length, text.Length))],
            _ => throw new TemplateException("'[a:b]' takes a list or text"),
        });
    }

    private static int Bound(object? value, int count, int otherwise) => value is long at ? (int)Math.Clamp(at < 0 ? at + count : at, 0, count) : otherwise;

    private List<object?> Items(string end)
    {
        var items = new List<object?>();
        while (!Take(end))
        {
            items.Add(Defined(Conditional()));
            if (!Take(","))
            {
                Expect(end);
                break;
            }
        }

        return items;
    }

    private List<object?> Arguments()
    {
        Expect("(");
        return Items(")");
    }

    private List<(string? Name, object? Value)> NamedArguments()
    {
        Expect("(");
        var arguments = new List<(string?, object?)>();
        while (!Take(")"))
        {
            string? name = null;
            if (_at + 1 < words.Count && words[_at + 1] == "=")
            {
                name = words[_at];
                _at += 2;
            }

            arguments.Add((name, Defined(Conditional())));
            if (!Take(","))
            {
                Expect(")");
                break;
            }
        }

        return arguments;
    }
}
