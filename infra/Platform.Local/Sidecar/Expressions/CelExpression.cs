namespace Platform.Local.Sidecar.Expressions;

/// <summary>A condition in the subset of CEL that routing rules and breakers use: comparison, <c>&amp;&amp; || !</c>, <c>in</c>, member access, and a few functions.</summary>
/// <remarks>Parsed once, strictly: what is not in the subset is refused with its place. Thread-safe.</remarks>
internal sealed class CelExpression
{
    private readonly CelNode _root;

    private CelExpression(string text, CelNode root)
    {
        Text = text;
        _root = root;
    }

    /// <summary>The expression as written.</summary>
    public string Text { get; }

    /// <exception cref="CelException">It is not in the subset, or names a variable that is not there.</exception>
    public static CelExpression Parse(string text, params IReadOnlyCollection<string> variables) => new(text, new CelParser(text, variables).Parse());

    /// <summary>Whether the condition holds.</summary>
    /// <exception cref="CelException">A member is missing, types do not fit, or the result is no bool.</exception>
    public bool IsTrue(Func<string, object?> variable) =>
        _root(variable) as bool? ?? throw new CelException($"'{Text}' is not a condition");
}

/// <summary>A part of an expression that can be evaluated: null, bool, double, string, list or JSON object.</summary>
internal delegate object? CelNode(Func<string, object?> variable);
