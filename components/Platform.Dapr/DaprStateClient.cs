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
    public Task<(T? Value, string? ETag)> GetStateAndETagAsync<T>(string store, string key, JsonTypeInfo<T> type, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default) =>
        GetAsync(store, key, type, QueryString.Of(metadata), cancellationToken);

    /// <summary>As the other, with a say in what the read waits for.</summary>
    /// <inheritdoc cref="GetStateAndETagAsync{T}(string, string, JsonTypeInfo{T}, IReadOnlyDictionary{string, string}?, CancellationToken)"/>
    public Task<(T? Value, string? ETag)> GetStateAndETagAsync<T>(
        string store, string key, JsonTypeInfo<T> type, StateConsistency consistency, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default) =>
        GetAsync(store, key, type, QueryString.Of(metadata, ("consistency", StateItemWriter.NameOf(consistency))), cancellationToken);

    /// <summary>Writes a value, whatever was there. With <paramref name="concurrency"/> first-write the key must be new.</summary>
    public async Task SaveStateAsync<T>(
        string store, string key, T value, JsonTypeInfo<T> type, StateConcurrency? concurrency = null, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        using var response = await SaveAsync(store, [new SaveStateItem<T>(key, value, null, concurrency, null, metadata)], type, cancellationToken);
        await ThrowIfFailedAsync(response, store, cancellationToken);
    }

    /// <summary>Writes a value if the key still has this ETag.</summary>
    /// <returns>False if somebody else wrote or deleted the key since.</returns>
    public async Task<bool> TrySaveStateAsync<T>(string store, string key, T value, string etag, JsonTypeInfo<T> type, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        using var response = await SaveAsync(store, [new SaveStateItem<T>(key, value, etag, StateConcurrency.FirstWrite, null, metadata)], type, cancellationToken);
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
        using var request = new HttpRequestMessage(HttpMethod.Post, _sidecar.AddressOf($"v1.0/state/{PathSegment.Escape(store)}/transaction"));
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
        using var request = new HttpRequestMessage(HttpMethod.Post, _sidecar.AddressOf($"v1.0/state/{PathSegment.Escape(store)}/bulk"));
        request.Content = JsonBody.From(new BulkGetRequest(keys, parallelism), DaprJson.Default.BulkGetRequest);
        using var response = await SendAsync(request, store, cancellationToken);
        try
        {
            var items = JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(cancellationToken), DaprJson.Default.ListBulkGetItem) ?? [];
            return items.ConvertAll(item => new BulkStateItem<T>(item.Key, item.Data is { } data ? data.Deserialize(type) : default, item.ETag, item.Error));
        }
        catch (JsonException e)
        {
            throw new DaprStateException($"Of {keys.Count} keys of store '{store}' at least one does not hold a {typeof(T).Name}: {e.Message}", e);
        }
    }

    /// <summary>Writes several keys, each on its own: those whose condition holds are written even if another's does not. For all or none use <see cref="ExecuteStateTransactionAsync"/>.</summary>
    /// <exception cref="DaprStateException">At least one was not written; a stale ETag has status 409.</exception>
    public async Task SaveBulkStateAsync<T>(string store, IReadOnlyList<SaveStateItem<T>> items, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        using var response = await SaveAsync(store, items, type, cancellationToken);
        await ThrowIfFailedAsync(response, store, cancellationToken);
    }

    /// <summary>Deletes several keys in one transaction; absent ones are no error.</summary>
    public Task DeleteBulkStateAsync(string store, IReadOnlyList<string> keys, CancellationToken cancellationToken = default) =>
        ExecuteStateTransactionAsync(store, [.. keys.Select(key => StateTransactionRequest.Delete(key))], cancellationToken);

    private async Task<(T? Value, string? ETag)> GetAsync<T>(string store, string key, JsonTypeInfo<T> type, string query, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _sidecar.AddressOf(PathOf(store, key) + query));
        using var response = await SendAsync(request, store, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NoContent)
        {
            return default;
        }

        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return (Parse(store, key, body, type), ETagOf(response));
    }

    private async Task<HttpResponseMessage> SaveAsync<T>(string store, IReadOnlyList<SaveStateItem<T>> items, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _sidecar.AddressOf($"v1.0/state/{PathSegment.Escape(store)}"));
        request.Content = JsonBody.Write((items, type), static (writer, batch) =>
        {
            writer.WriteStartArray();
            foreach (var item in batch.items)
            {
                StateItemWriter.WriteItem(writer, item, batch.type);
            }

            writer.WriteEndArray();
        });
        return await SendRawAsync(request, store, cancellationToken);
    }

    private static string PathOf(string store, string key) => $"v1.0/state/{PathSegment.Escape(store)}/{PathSegment.Escape(key)}";

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
            return await _sidecar.SendForAllAsync(request, cancellationToken);
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
