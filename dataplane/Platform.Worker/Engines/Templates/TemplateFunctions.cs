namespace Platform.Worker.Engines.Templates;

/// <summary>Filters and methods that chat templates use.</summary>
internal static class TemplateFunctions
{
    /// <summary><c>value | name(arguments)</c>.</summary>
    public static object? Filter(object? value, bool isUndefined, string name, List<object?> arguments, TemplateBudget budget) => (name, value) switch
    {
        ("default", _) => isUndefined ? arguments.FirstOrDefault() : value,
        ("trim", string text) => text.Trim(),
        ("upper", string text) => text.ToUpperInvariant(),
        ("lower", string text) => text.ToLowerInvariant(),
        ("length" or "count", string text) => (long)text.Length,
        ("length" or "count", IList<object?> list) => (long)list.Count,
        ("first", IList<object?> { Count: > 0 } list) => list[0],
        ("last", IList<object?> { Count: > 0 } list) => list[^1],
        ("list", IList<object?> list) => list,
        ("string", _) => TemplateExpression.Text(value),
        ("join", IList<object?> list) => Join(list, arguments.FirstOrDefault() as string ?? "", budget),
        _ => throw new TemplateException($"the filter '{name}' is not interpreted for this value"),
    };

    /// <summary><c>value.name(arguments)</c>.</summary>
    public static object? Method(object? value, string name, List<object?> arguments, TemplateBudget budget) => (name, value, arguments) switch
    {
        ("strip", string text, []) => text.Trim(),
        ("lstrip", string text, []) => text.TrimStart(),
        ("rstrip", string text, []) => text.TrimEnd(),
        ("strip", string text, [string characters]) => text.Trim(characters.ToCharArray()),
        ("lstrip", string text, [string characters]) => text.TrimStart(characters.ToCharArray()),
        ("rstrip", string text, [string characters]) => text.TrimEnd(characters.ToCharArray()),
        ("upper", string text, []) => text.ToUpperInvariant(),
        ("lower", string text, []) => text.ToLowerInvariant(),
        ("startswith", string text, [string start]) => text.StartsWith(start, StringComparison.Ordinal),
        ("endswith", string text, [string end]) => text.EndsWith(end, StringComparison.Ordinal),
        ("replace", string text, [string { Length: > 0 } old, string by]) => Replace(text, old, by, budget),
        ("split", string text, [string { Length: > 0 } by]) => text.Split(by).Cast<object?>().ToList(),
        ("get", IDictionary<string, object?> map, [string key]) => map.TryGetValue(key, out var found) ? found : null,
        ("get", IDictionary<string, object?> map, [string key, var otherwise]) => map.TryGetValue(key, out var found) ? found : otherwise,
        _ => throw new TemplateException($"'.{name}(...)' is not interpreted for this value"),
    };

    /// <summary>The length is paid for first: a short separator between many items, or a long text for each of many characters, is more than there is memory.</summary>
    private static string Join(IList<object?> list, string separator, TemplateBudget budget)
    {
        var texts = list.Select(TemplateExpression.Text).ToList();
        budget.Spend(texts.Sum(static text => (long)text.Length) + ((long)separator.Length * texts.Count));
        return string.Join(separator, texts);
    }

    private static string Replace(string text, string old, string by, TemplateBudget budget)
    {
        budget.Spend(text.Length + ((long)text.AsSpan().Count(old) * by.Length));
        return text.Replace(old, by, StringComparison.Ordinal);
    }
}
