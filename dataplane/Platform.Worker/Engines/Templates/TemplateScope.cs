namespace Platform.Worker.Engines.Templates;

/// <summary>Names that a template sees. A loop has a scope of its own; what is set there ends with it.</summary>
internal sealed class TemplateScope(TemplateScope? outer)
{
    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);

    /// <summary>Shared by all scopes of a rendering.</summary>
    public TemplateBudget Budget { get; } = outer?.Budget ?? new TemplateBudget();

    /// <summary>Functions by name.</summary>
    public IReadOnlyDictionary<string, Func<List<(string? Name, object? Value)>, object?>> Functions { get; } = outer?.Functions ?? new Dictionary<string, Func<List<(string? Name, object? Value)>, object?>>(StringComparer.Ordinal)
    {
        ["raise_exception"] = static arguments => throw new TemplateException(arguments is [(_, string text), ..] ? text : "the chat is not what the template expects", isRefusal: true),
        ["namespace"] = static arguments => arguments.ToDictionary(argument => argument.Name ?? throw new TemplateException("namespace(...) takes names"), argument => argument.Value, StringComparer.Ordinal),
        ["range"] = static arguments => arguments switch
        {
            [(_, long to)] => Range(0, to),
            [(_, long from), (_, long to)] => Range(from, to),
            _ => throw new TemplateException("range takes one or two whole numbers"),
        },
    };

    public void Set(string name, object? value) => _values[name] = value;

    public bool TryGet(string name, out object? value) => _values.TryGetValue(name, out value) || (outer is not null && outer.TryGet(name, out value));

    private static List<object?> Range(long from, long to) => to - from <= 100_000
        ? [.. Enumerable.Range(0, (int)Math.Max(0, to - from)).Select(i => (object?)(from + i))]
        : throw new TemplateException("range is too long");
}
