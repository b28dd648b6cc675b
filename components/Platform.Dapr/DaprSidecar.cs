using System.Text.Json;
using Platform.Dapr.Http;

namespace Platform.Dapr;

/// <summary>The sidecar itself: health, metadata, shutdown. Thread-safe.</summary>
public sealed class DaprSidecar
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);
    private readonly SidecarClient _sidecar;
    private readonly TimeProvider _time;

    internal DaprSidecar(SidecarClient sidecar, TimeProvider? time = null)
    {
        _sidecar = sidecar;
        _time = time ?? TimeProvider.System;
    }

    /// <summary>True when the sidecar is ready and has loaded the app's callbacks. Do not wait for it during the app's own start: it waits for the app.</summary>
    public Task<bool> CheckHealthAsync(CancellationToken cancellationToken = default) => CheckAsync("v1.0/healthz", cancellationToken);

    /// <summary>True when the sidecar's components can be used, whether or not the app listens.</summary>
    public Task<bool> CheckOutboundHealthAsync(CancellationToken cancellationToken = default) => CheckAsync("v1.0/healthz/outbound", cancellationToken);

    /// <summary>Completes when <see cref="CheckOutboundHealthAsync"/> is true; asks every 100 ms until then.</summary>
    public async Task WaitForSidecarAsync(CancellationToken cancellationToken = default)
    {
        while (!await CheckOutboundHealthAsync(cancellationToken))
        {
            await Task.Delay(PollInterval, _time, cancellationToken);
        }
    }

    /// <summary>What the sidecar has loaded.</summary>
    /// <exception cref="DaprSidecarException">It did not say.</exception>
    public async Task<DaprMetadata> GetMetadataAsync(CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(HttpMethod.Get, "v1.0/metadata", null, cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        try
        {
            return JsonSerializer.Deserialize(body, DaprJson.Default.DaprMetadata) ?? throw new JsonException("found null");
        }
        catch (JsonException e)
        {
            throw new DaprSidecarException($"The sidecar's metadata is not the expected JSON: {e.Message}", e);
        }
    }

    /// <summary>Sets a label in <see cref="DaprMetadata.Extended"/>; it lives as long as the sidecar.</summary>
    /// <exception cref="DaprSidecarException">It was not set.</exception>
    public async Task SetMetadataAsync(string name, string value, CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(HttpMethod.Put, $"v1.0/metadata/{PathSegment.Escape(name)}", new StringContent(value), cancellationToken);
    }

    /// <summary>Asks the sidecar to stop gracefully.</summary>
    /// <exception cref="DaprSidecarException">It refused, or is not there.</exception>
    public async Task ShutdownSidecarAsync(CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(HttpMethod.Post, "v1.0/shutdown", null, cancellationToken);
    }

    private async Task<bool> CheckAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, _sidecar.AddressOf(path));
            using var response = await _sidecar.SendForAllAsync(request, cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, _sidecar.AddressOf(path)) { Content = content };
        HttpResponseMessage response;
        try
        {
            response = await _sidecar.SendForAllAsync(request, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new DaprSidecarException($"The sidecar at {request.RequestUri?.Authority} did not answer: {e.Message}", e) { ErrorCode = DaprErrorCodes.SidecarUnreachable };
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            var answer = await SidecarAnswer.ReadAsync(response, cancellationToken);
            throw new DaprSidecarException($"{method} {path} answered {(int)answer.Status}: {answer.Words}") { StatusCode = answer.Status, ErrorCode = answer.ErrorCode, Body = answer.Body };
        }
    }
}
