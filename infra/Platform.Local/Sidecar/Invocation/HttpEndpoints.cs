using System.Collections.Concurrent;

namespace Platform.Local.Sidecar.Invocation;

/// <summary>The targets outside of Dapr that one app may call: its HTTPEndpoint resources by name, and any http or https address.</summary>
internal sealed class HttpEndpoints(IEnumerable<HttpEndpoint> endpoints) : IDisposable
{
    private readonly ConcurrentDictionary<string, HttpEndpoint> _named = new(endpoints.Select(endpoint => KeyValuePair.Create(endpoint.Name, endpoint)), StringComparer.Ordinal);
    private readonly HttpMessageInvoker _client = HttpEndpoint.NewClient();

    /// <summary>Names of the resources, sorted.</summary>
    public IEnumerable<string> Names => _named.Keys.Order(StringComparer.Ordinal);

    /// <summary>The target of that name or address; null if it is neither.</summary>
    public HttpEndpoint? Find(string target)
    {
        if (_named.TryGetValue(target, out var endpoint))
        {
            return endpoint;
        }

        var isAddress = (target.StartsWith("http://", StringComparison.Ordinal) || target.StartsWith("https://", StringComparison.Ordinal)) && Uri.TryCreate(target, UriKind.Absolute, out _);
        return isAddress ? new HttpEndpoint(target, target.TrimEnd('/') + "/", [], _client) : null;
    }

    public void Dispose()
    {
        foreach (var endpoint in _named.Values)
        {
            endpoint.Dispose();
        }

        _client.Dispose();
    }
}
