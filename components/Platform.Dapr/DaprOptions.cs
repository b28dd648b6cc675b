using System.Globalization;

namespace Platform.Dapr;

/// <summary>Where the sidecar is and which tokens go each way. Defaults come from the environment that Dapr sets.</summary>
public sealed class DaprOptions
{
    /// <summary>Base address of the sidecar's HTTP API. From <c>DAPR_HTTP_ENDPOINT</c>, else <c>DAPR_HOST</c> (127.0.0.1) and <c>DAPR_HTTP_PORT</c> (3500).</summary>
    public Uri HttpEndpoint { get; set; } = new("http://127.0.0.1:3500/");

    /// <summary>Token that the sidecar asks for, from <c>DAPR_API_TOKEN</c>. Null: none is sent.</summary>
    public string? ApiToken { get; set; }

    /// <summary>Token that the sidecar shows to this app, from <c>APP_API_TOKEN</c>. Null: callers are not asked for one.</summary>
    public string? AppApiToken { get; set; }

    /// <summary>This app's id, from <c>APP_ID</c>; null outside Dapr.</summary>
    public string? AppId { get; set; }

    /// <summary>Reads the environment of this process.</summary>
    /// <exception cref="InvalidOperationException">A variable is set to something that is no address or port.</exception>
    public static DaprOptions FromEnvironment() => From(Environment.GetEnvironmentVariable);

    internal static DaprOptions From(Func<string, string?> variable)
    {
        string? Read(string name) => variable(name) is { Length: > 0 } value ? value : null;

        return new DaprOptions
        {
            HttpEndpoint = EndpointFrom(Read("DAPR_HTTP_ENDPOINT"), Read("DAPR_HOST"), Read("DAPR_HTTP_PORT")),
            ApiToken = Read("DAPR_API_TOKEN"),
            AppApiToken = Read("APP_API_TOKEN"),
            AppId = Read("APP_ID"),
        };
    }

    private static Uri EndpointFrom(string? endpoint, string? host, string? port)
    {
        if (endpoint is not null)
        {
            return Uri.TryCreate(endpoint.TrimEnd('/') + "/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
                ? address
                : throw new InvalidOperationException($"DAPR_HTTP_ENDPOINT is '{endpoint}'; expected an http or https address such as http://127.0.0.1:3500.");
        }

        return int.TryParse(port ?? "3500", NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= 65535
            ? new UriBuilder("http", host ?? "127.0.0.1", number, "/").Uri
            : throw new InvalidOperationException($"DAPR_HTTP_PORT is '{port}'; expected a port from 1 to 65535.");
    }
}
