namespace Platform.Local.Sidecar.Http;

/// <summary>The <c>metadata.*</c> parameters of a query, without the prefix; names in any case.</summary>
internal static class QueryMetadata
{
    private const string Prefix = "metadata.";

    public static IReadOnlyDictionary<string, string> Of(HttpRequest request)
    {
        var metadata = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (request.QueryString.HasValue)
        {
            foreach (var (name, values) in request.Query)
            {
                if (name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
                {
                    metadata[name[Prefix.Length..]] = values.ToString();
                }
            }
        }

        return metadata;
    }
}
