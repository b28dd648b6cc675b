namespace Platform.Dapr.Http;

/// <summary>Names as segments of a path: whatever is in them stays in them.</summary>
internal static class PathSegment
{
    /// <summary>Escapes a name; also <c>.</c> and <c>..</c>, which a path would take for the way up.</summary>
    public static string Escape(string name) => name is "." or ".." ? name.Replace(".", "%2E", StringComparison.Ordinal) : Uri.EscapeDataString(name);

    /// <summary>Escapes a name whose slashes are slashes of the path.</summary>
    public static string EscapeEach(string path) => string.Join('/', path.Split('/').Select(Escape));
}
