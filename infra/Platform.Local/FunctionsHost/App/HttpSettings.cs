using System.Globalization;

namespace Platform.Local.FunctionsHost.App;

/// <summary>The section <c>extensions.http</c>.</summary>
internal sealed record HttpSettings
{
    private const string Section = "extensions:http:";

    /// <summary>Before every route; empty for none.</summary>
    public required string RoutePrefix { get; init; }

    /// <summary>Requests in the host at once, waiting ones included; -1: no limit. Beyond it: 429.</summary>
    public required int MaxOutstandingRequests { get; init; }

    /// <summary>Requests that run at once; -1: no limit. Others wait for their turn.</summary>
    public required int MaxConcurrentRequests { get; init; }

    /// <summary>Headers of every answer.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> CustomHeaders { get; init; }

    /// <summary>Value of <c>Strict-Transport-Security</c> on HTTPS answers; null: none.</summary>
    public required string? StrictTransportSecurity { get; init; }

    public static HttpSettings Read(IConfiguration host, string path, string? profilePrefix)
    {
        var settings = new HttpSettings
        {
            RoutePrefix = (profilePrefix ?? host[Section + "routePrefix"] ?? "api").Trim('/'),
            MaxOutstandingRequests = HostSettings.Number(host, Section + "maxOutstandingRequests", path, -1, -1),
            MaxConcurrentRequests = HostSettings.Number(host, Section + "maxConcurrentRequests", path, -1, -1),
            CustomHeaders = [.. host.GetSection(Section + "customHeaders").GetChildren().Select(header => KeyValuePair.Create(header.Key, header.Value ?? ""))],
            StrictTransportSecurity = ReadHsts(host, path),
        };
        return settings.MaxConcurrentRequests is 0 || settings.MaxOutstandingRequests is 0
            ? throw new FunctionAppException($"{path}: extensions.http.maxConcurrentRequests is {settings.MaxConcurrentRequests} and maxOutstandingRequests {settings.MaxOutstandingRequests}; expected -1 (no limit) or at least 1.")
            : settings;
    }

    private static string? ReadHsts(IConfiguration host, string path)
    {
        if (!Flag("isEnabled"))
        {
            return null;
        }

        var text = host[Section + "hsts:maxAge"] ?? "30";
        var age = int.TryParse(text, CultureInfo.InvariantCulture, out var days) ? TimeSpan.FromDays(days)
            : TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var time) ? time
            : throw new FunctionAppException($"{path}: extensions.http.hsts.maxAge is '{text}'; expected days, or a time span.");
        return $"max-age={(long)age.TotalSeconds}{(Flag("includeSubDomains") ? "; includeSubDomains" : "")}{(Flag("preload") ? "; preload" : "")}";

        bool Flag(string name) => HostSettings.Flag(host, Section + "hsts:" + name, path);
    }
}
