using System.Text;

namespace Platform.Dapr.Http;

/// <summary>Query strings with Dapr's <c>metadata.*</c> parameters.</summary>
internal static class QueryString
{
    public static string Of(IReadOnlyDictionary<string, string>? metadata, params ReadOnlySpan<(string Name, string? Value)> others)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in others)
        {
            Append(text, name, value);
        }

        foreach (var (name, value) in metadata ?? new Dictionary<string, string>())
        {
            Append(text, "metadata." + name, value);
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, string name, string? value)
    {
        if (value is not null)
        {
            text.Append(text.Length == 0 ? '?' : '&').Append(Uri.EscapeDataString(name)).Append('=').Append(Uri.EscapeDataString(value));
        }
    }
}
