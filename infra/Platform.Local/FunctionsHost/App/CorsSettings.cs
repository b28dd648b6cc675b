using System.Text.Json;

namespace Platform.Local.FunctionsHost.App;

/// <summary>Which web pages of other origins may call: <c>Host.CORS</c> and <c>Host.CORSCredentials</c> of <c>local.settings.json</c>. In Azure the platform's front end does this.</summary>
internal sealed record CorsSettings(IReadOnlyList<string> Origins, bool AllowCredentials)
{
    public static CorsSettings None { get; } = new([], false);

    /// <exception cref="FunctionAppException">Credentials are allowed for any origin, which browsers refuse.</exception>
    public static CorsSettings Read(JsonElement host, string path)
    {
        if (!host.TryGetProperty("CORS", out var origins) || origins.ToString() is not { Length: > 0 } text)
        {
            return None;
        }

        var cors = new CorsSettings(
            [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(origin => origin.TrimEnd('/'))],
            host.TryGetProperty("CORSCredentials", out var allowed) && bool.TryParse(allowed.ToString(), out var credentials) && credentials);
        return cors.AllowCredentials && cors.Origins.Contains("*")
            ? throw new FunctionAppException($"{path}: Host.CORSCredentials needs named origins in Host.CORS; found '*'.")
            : cors;
    }

    /// <summary>True if a page of <paramref name="origin"/> may call.</summary>
    public bool Allows(string origin) => Origins.Contains("*") || Origins.Contains(origin.TrimEnd('/'), StringComparer.OrdinalIgnoreCase);
}
