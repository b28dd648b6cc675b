using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Platform.DataPlane;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Resiliency;

namespace Platform.Local.Sidecar.State;

/// <summary><c>/v1.0/state/{store}</c>: save, get, delete, bulk, transaction.</summary>
internal sealed class StateApi(IReadOnlyDictionary<string, StateComponent> stores, string appId, ResiliencyPolicies policies, long maxBodyBytes)
{
    /// <summary>Handles a request whose path is <c>v1.0/state/...</c>; false if it is none of ours.</summary>
    public async Task<bool> TryHandleAsync(HttpContext context, ApiPath path)
    {
        var method = context.Request.Method;
        var isWrite = HttpMethods.IsPost(method) || HttpMethods.IsPut(method);
        Func<StateComponent, Task>? handler = path.Count switch
        {
            3 when isWrite => store => SaveAsync(context, store),
            4 when isWrite && path.Is(3, "bulk") => store => GetBulkAsync(context, store),
            4 when isWrite && path.Is(3, "transaction") => store => TransactAsync(context, store),
            4 when HttpMethods.IsGet(method) => store => GetAsync(context, store, path.Parameter(3)),
            4 when HttpMethods.IsDelete(method) => store => DeleteAsync(context, store, path.Parameter(3)),
            _ => null,
        };
        if (handler is null)
        {
            return false;
        }

        await handler(Resolve(path.Parameter(2)));
        return true;
    }

    /// <summary><c>/v1.0-alpha1/state/{store}/query</c>: no store here has it. False if the path is another.</summary>
    public async Task<bool> TryHandleQueryAsync(HttpContext context, ApiPath path)
    {
        if (path.Count != 4 || !path.Is(3, "query") || !(HttpMethods.IsPost(context.Request.Method) || HttpMethods.IsPut(context.Request.Method)))
        {
            return false;
        }

        var store = Resolve(path.Parameter(2));
        await new DaprError(500, "ERR_STATE_STORE_NOT_SUPPORTED", "state store does not support querying")
        {
            Details = new DaprErrorDetails("DAPR_STATE_QUERYING_NOT_SUPPORTED") { Resource = ("state", store.Resource.Name, "") },
        }.WriteAsync(context);
        return true;
    }

    private StateComponent Resolve(string name)
    {
        if (stores.GetValueOrDefault(name) is { } store)
        {
            return store;
        }

        var (status, what) = stores.Count == 0 ? (500, "CONFIGURED") : (400, "FOUND");
        throw new DaprErrorException(new DaprError(status, "ERR_STATE_STORE_NOT_" + what, $"state store {name} is not {what.ToLowerInvariant()}")
        {
            Details = new DaprErrorDetails("DAPR_STATE_NOT_" + what) { Metadata = new Dictionary<string, string> { ["appID"] = appId } },
        });
    }

    private async Task SaveAsync(HttpContext context, StateComponent store)
    {
        using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
        var metadata = QueryMetadata.Of(context.Request);
        var operations = Parse(body, root => Items(root).Select(item => StateItems.Upsert(item, store.KeyOf, metadata)).ToList());
        await RunAsync(context, store, operations, "ERR_STATE_SAVE", $"failed saving state in state store {store.Resource.Name}");
    }

    private async Task GetAsync(HttpContext context, StateComponent store, string key)
    {
        var storedKey = store.KeyOf(key);
        if (await ReadAsync(store, () => store.Store.Find(storedKey), "ERR_STATE_GET", why => $"fail to get {key} from state store {store.Resource.Name}: {why}", context.RequestAborted) is not { } record)
        {
            await context.AnswerNothingAsync();
            return;
        }

        context.Response.Headers.ETag = record.ETag;
        if (record.ExpiresAt is { } end)
        {
            context.Response.Headers["metadata.ttlExpireTime"] = Rfc3339(end);
        }

        await context.AnswerJsonAsync(200, record.Value);
    }

    private Task DeleteAsync(HttpContext context, StateComponent store, string key)
    {
        var concurrency = context.Request.Query["concurrency"].ToString();
        var operation = new StateOperation
        {
            Key = store.KeyOf(key),
            ETag = concurrency == "last-write" ? null : context.Request.Headers.IfMatch.ToString(),
        };
        return RunAsync(context, store, [operation], "ERR_STATE_DELETE", $"failed deleting state with key {key}");
    }

    private async Task GetBulkAsync(HttpContext context, StateComponent store)
    {
        using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
        var keys = Parse(body, root => GoJson.Find(root, "keys") is { ValueKind: JsonValueKind.Array } array
            ? array.EnumerateArray().Select(key => key.ValueKind == JsonValueKind.String ? key.GetString()! : throw new JsonException("keys are strings")).ToList()
            : []);
        var storedKeys = keys.ConvertAll(store.KeyOf);
        var records = await ReadAsync(store, () => storedKeys.ConvertAll(store.Store.Find), "ERR_STATE_BULK_GET", why => why, context.RequestAborted);
        var answer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(answer))
        {
            writer.WriteStartArray();
            for (var i = 0; i < keys.Count; i++)
            {
                WriteItem(writer, keys[i], records[i]);
            }

            writer.WriteEndArray();
        }

        await context.AnswerJsonAsync(200, answer.WrittenMemory);
    }

    private static void WriteItem(Utf8JsonWriter writer, string key, StateRecord? record)
    {
        writer.WriteStartObject();
        writer.WriteString("key"u8, key);
        if (record is { } found)
        {
            writer.WritePropertyName("data"u8);
            writer.WriteRawValue(found.Value.Span, skipInputValidation: true);
            writer.WriteString("etag"u8, found.ETag);
            if (found.ExpiresAt is { } end)
            {
                writer.WriteStartObject("metadata"u8);
                writer.WriteString("ttlExpireTime"u8, Rfc3339(end));
                writer.WriteEndObject();
            }
        }

        writer.WriteEndObject();
    }

    private static string Rfc3339(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    private async Task TransactAsync(HttpContext context, StateComponent store)
    {
        using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
        var none = new Dictionary<string, string>();
        var operations = Parse(body, root => (GoJson.Find(root, "operations") is { ValueKind: JsonValueKind.Array } array ? array.EnumerateArray().ToList() : []).ConvertAll(item =>
        {
            var request = GoJson.Find(item, "request") ?? default;
            return GoJson.FindString(item, "operation") switch
            {
                "upsert" => StateItems.Upsert(request, store.KeyOf, none),
                "delete" => StateItems.Delete(request, store.KeyOf),
                var other => throw new DaprErrorException(400, "ERR_NOT_SUPPORTED_STATE_OPERATION", $"operation type {other} not supported"),
            };
        }));
        try
        {
            var conflict = await RunAsync(store, cancellationToken => store.Store.TransactAsync(operations, cancellationToken), context.RequestAborted);
            if (conflict != StateConflict.None)
            {
                throw new DaprErrorException(500, "ERR_STATE_TRANSACTION", $"error while executing state transaction: {Words(conflict)}");
            }
        }
        catch (Exception e) when (e is StorageException or TimeoutException or CircuitOpenException)
        {
            throw new DaprErrorException(500, "ERR_STATE_TRANSACTION", $"error while executing state transaction: {e.Message}", e);
        }

        await context.AnswerNothingAsync();
    }

    /// <summary>Runs a write under the component's outbound policy. What the store says about an ETag is an answer, not a failure.</summary>
    private Task<StateConflict> RunAsync(StateComponent store, Func<CancellationToken, Task<StateConflict>> write, CancellationToken cancellationToken) =>
        policies.ForStateOutbound(store.Resource.Name).ExecuteAsync(write, cancellationToken);

    /// <summary>Runs a read under the component's outbound policy: the store's breaker is one for reads and writes.</summary>
    private async Task<T> ReadAsync<T>(StateComponent store, Func<T> read, string code, Func<string, string> words, CancellationToken cancellationToken)
    {
        var policy = policies.ForStateOutbound(store.Resource.Name);
        if (policy.IsNone)
        {
            return read();
        }

        try
        {
            return await policy.ExecuteAsync(_ => Task.FromResult(read()), cancellationToken);
        }
        catch (CircuitOpenException e)
        {
            throw new DaprErrorException(500, code, words(e.Message), e);
        }
    }

    private async Task RunAsync(HttpContext context, StateComponent store, IReadOnlyList<StateOperation> operations, string code, string what)
    {
        try
        {
            var conflict = await RunAsync(store, cancellationToken => store.Store.SaveAsync(operations, cancellationToken), context.RequestAborted);
            if (conflict != StateConflict.None)
            {
                throw new DaprErrorException(conflict == StateConflict.Mismatch ? 409 : 400, code, $"{what}: {Words(conflict)}");
            }
        }
        catch (Exception e) when (e is StorageException or TimeoutException or CircuitOpenException)
        {
            throw new DaprErrorException(500, code, $"{what}: {e.Message}", e);
        }

        await context.AnswerNothingAsync();
    }

    private static string Words(StateConflict conflict) =>
        conflict == StateConflict.Mismatch ? "possible etag mismatch. error from state store: the etag does not match" : "invalid etag value: expected a number";

    private static List<JsonElement> Items(JsonElement root) => root.ValueKind switch
    {
        JsonValueKind.Array => [.. root.EnumerateArray()],
        JsonValueKind.Null => [],
        _ => throw new JsonException("expected an array of items"),
    };

    private static T Parse<T>(JsonDocument body, Func<JsonElement, T> read)
    {
        try
        {
            return read(body.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DaprErrorException(DaprError.Malformed(e.Message), e);
        }
    }
}
