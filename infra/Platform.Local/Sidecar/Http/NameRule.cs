namespace Platform.Local.Sidecar.Http;

/// <summary>Which names may become a segment of a path at the app: daprd's rule, in its words.</summary>
internal static class NameRule
{
    /// <summary>What is wrong with a name; null if nothing is.</summary>
    public static string? Offence(string name)
    {
        if (name.AsSpan().ContainsAny("#?\0/\\"))
        {
            return $"name contains forbidden character: \"{name}\"";
        }

        var control = name.AsSpan().IndexOfAnyInRange('\u0001', '\u001f') is var low and >= 0 ? low : name.IndexOf('\u007f', StringComparison.Ordinal);
        return control >= 0 ? $"name contains control character at position {control}: \"{name}\""
            : name is "." or ".." ? $"name is a path traversal sequence: \"{name}\""
            : null;
    }

    /// <exception cref="DaprErrorException">400 <c>ERR_BAD_REQUEST</c>: the name breaks the rule.</exception>
    public static void Require(string name)
    {
        if (Offence(name) is { } offence)
        {
            throw Refusal(offence);
        }
    }

    /// <summary>400 <c>ERR_BAD_REQUEST</c>.</summary>
    public static DaprErrorException Refusal(string why) => new(400, "ERR_BAD_REQUEST", "invalid request: " + why);
}
