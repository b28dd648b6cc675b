using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Platform.Dapr.Http;

namespace Platform.Dapr;

/// <summary>Key/value state of this app in a state store component. Thread-safe.</summary>
/// <remarks>The store may rewrite JSON (key order, numbers beyond 2^53): compare values, never bytes. Every failure is a <see cref="DaprStateException"/>.</remarks>
public sealed class DaprStateClient
{
    private readonly SidecarClient _sidecar;

    internal DaprStateClient(SidecarClient sidecar) => _sidecar = sidecar;

    /// <summary>The value under a key; default if it is absent.</summary>
    public async Task<T?> GetStateAsync<T>(string store, string key, JsonTypeInfo<T> type, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default) =>
        (await GetStateAndETagAsync(store, key, type, metadata, cancellationToken)).Value;

    /// <summary>The value under a key and its ETag; both default if it is absent.</summary>
    public async Task<(T? Value, string? ETag)> GetStateAndETagAsync<T>(string store, string key, JsonTypeInfo<T> type, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _sidecar.AddressOf(PathOf(store, key) + QueryString.Of(metadata)));
        using var response = await SendAsync(request, store, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NoContent)
        {
            return default;
        }

        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return (Parse(store, key, body, type), ETagOf(response));
    }

    /// <summary>Writes a value, whatever was there. With <paramref name="concurrency"/> first-write the key must be new.</summary>
    public async Task SaveStateAsync<T>(
        string store, string key, T value, JsonTypeInfo<T> type, StateConcurrency? concurrency = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        using var response = await SaveAsync(store, key, value, type, null, concurrency, metadata, cancellationToken);
        await ThrowIfFailedAsync(response, store, cancellationToken);
    }

    /// <summary>Writes a value if the key still has this ETag.</summary>
    /// <returns>False if somebody else wrote or deleted the key since.</returns>
    public async Task<bool> TrySaveStateAsync<T>(string store, string key, T value, string etag, JsonTypeInfo<T> type, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        using var response = await SaveAsync(store, key, value, type, etag, StateConcurrency.FirstWrite, metadata, cancellationToken);
        return await SucceededAsync(response, store, cancellationToken);
    }

    /// <summary>Deletes a key; an absent one is no error.</summary>
    public async Task DeleteStateAsync(string store, string key, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, _sidecar.AddressOf(PathOf(store, key)));
        using var response = await SendAsync(request, store, cancellationToken);
    }

    /// <summary>Deletes a key if it still has this ETag.</summary>
    /// <returns>False if somebody else wrote or deleted the key since.</returns>
    public async Task<bool> TryDeleteStateAsync(string store, string key, string etag, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, _sidecar.AddressOf(PathOf(store, key) + "?concurrency=first-write"));
        request.Headers.TryAddWithoutValidation("If-Match", etag);
        using var response = await SendRawAsync(request, store, cancellationToken);
        return await SucceededAsync(response, store, cancellationToken);
    }

    /// <summary>All operations, or none.</summary>
    public async Task ExecuteStateTransactionAsync(string store, IReadOnlyList<StateTransactionRequest> operations, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _sidecar.AddressOf($"v1.0/state/{Uri.EscapeDataString(store)}/transaction"));
        request.Content = JsonBody.Write(operations, static (writer, operations) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("operations"u8);
            foreach (var operation in operations)
            {
                operation.Write(writer);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        });
        using var response = await SendAsync(request, store, cancellationToken);
    }

    /// <summary>Several keys at once; one item per key, in no particular order.</summary>
    /// <param name="store">Component name.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="type">How values are read.</param>
    /// <param name="parallelism">Reads at a time in the sidecar; 0 leaves it to the sidecar.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<BulkStateItem<T>>> GetBulkStateAsync<T>(string store, IReadOnlyList<string> keys, JsonTypeInfo<T> type, int parallelism = 0, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _sidecar.AddressOf($"v1.0/state/{Uri.EscapeDataString(store)}/bulk"));
        request.Content = JsonBody.From(new BulkGetRequest(keys, parallelism), DaprJson.Default.BulkGetRequest);
        using var response = await SendAsync(request, store, cancellationToken);
        var items = JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(cancellationToken), DaprJson.Default.ListBulkGetItem) ?? [];
        return items.ConvertAll(item => new BulkStateItem<T>(item.Key, item.Data is { } data ? data.Deserialize(type) : default, item.ETag, item.Error));
    }

    private async Task<HttpResponseMessage> SaveAsync<T>(
        string store, string key, T value, JsonTypeInfo<T> type, string? etag, StateConcurrency? concurrency, IReadOnlyDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _sidecar.AddressOf($"v1.0/state/{Uri.EscapeDataString(store)}"));
        request.Content = JsonBody.Write((key, value, type, etag, concurrency, metadata), static (writer, item) =>
        {
            writer.WriteStartArray();
            writer.WriteStartObject();
            writer.WriteString("key"u8, item.key);
            writer.WritePropertyName("value"u8);
            JsonSerializer.Serialize(writer, item.value, item.type);
            if (item.etag is not null)
            {
                writer.WriteString("etag"u8, item.etag);
            }

            if (item.concurrency is { } concurrency)
            {
                writer.WriteStartObject("options"u8);
                writer.WriteString("concurrency"u8, concurrency == StateConcurrency.FirstWrite ? "first-write"u8 : "last-write"u8);
                writer.WriteEndObject();
            }

            StateItemWriter.WriteMetadata(writer, item.metadata);
            writer.WriteEndObject();
            writer.WriteEndArray();
        });
        return await SendRawAsync(request, store, cancellationToken);
    }

    private static string PathOf(string store, string key) => $"v1.0/state/{Uri.EscapeDataString(store)}/{Uri.EscapeDataString(key)}";

    private static string? ETagOf(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues("ETag", out var values) ? values.ToString() : null;

    private static T? Parse<T>(string store, string key, byte[] body, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(body, type);
        }
        catch (JsonException e)
        {
            throw new DaprStateException($"Key '{key}' of store '{store}' does not hold a {typeof(T).Name}: {e.Message}", e);
        }
    }

    private async Task<HttpResponseMessage> SendRawAsync(HttpRequestMessage request, string store, CancellationToken cancellationToken)
    {
        try
        {
            return await _sidecar.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new DaprStateException($"The sidecar did not answer {request.Method} on store '{store}': {e.Message}", e) { ErrorCode = DaprErrorCodes.SidecarUnreachable };
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string store, CancellationToken cancellationToken)
    {
        var response = await SendRawAsync(request, store, cancellationToken);
        try
        {
            await ThrowIfFailedAsync(response, store, cancellationToken);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private static async Task<bool> SucceededAsync(HttpResponseMessage response, string store, CancellationToken cancellationToken)
    {
        if (response.StatusCode == HttpStatusCode.Conflict)
        {
            return false;
        }

        await ThrowIfFailedAsync(response, store, cancellationToken);
        return true;
    }

    private static async Task ThrowIfFailedAsync(HttpResponseMessage response, string store, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode)
        {
            var answer = await SidecarAnswer.ReadAsync(response, cancellationToken);
            throw new DaprStateException($"Store '{store}' answered {(int)answer.Status}: {answer.Words}")
            {
                StatusCode = answer.Status,
                ErrorCode = answer.ErrorCode,
                Body = answer.Body,
            };
        }
    }
}
