using System.Text.Json;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Absent;

/// <summary>The building blocks that the embedded sidecar does not have: it answers as daprd 1.18 does where no such component is configured, checks of the request included.</summary>
/// <remarks>Routes, verbs and versions are daprd's (<c>pkg/api/http</c>); what matches none of them is none of ours, and so an invocation without a target.</remarks>
internal sealed class AbsentBuildingBlocks(string appId, bool hasActorStore, long maxBodyBytes)
{
    private readonly AbsentJobs _jobs = new(appId);
    private readonly AbsentWorkflows _workflows = new(appId, hasActorStore);

    /// <summary>Handles a request of an absent block; false if it belongs to none.</summary>
    public async Task<bool> TryHandleAsync(HttpContext context, ApiPath path)
    {
        if (Find(context, path) is not { } answer)
        {
            return false;
        }

        await (await answer()).WriteAsync(context);
        return true;
    }

    private Func<Task<DaprError>>? Find(HttpContext context, ApiPath path)
    {
        var method = context.Request.Method;
        var isGet = HttpMethods.IsGet(method);
        var isPost = HttpMethods.IsPost(method);
        var isPut = HttpMethods.IsPut(method);
        return (path.Raw(1), path.Raw(0), path.Count) switch
        {
            ("bindings", "v1.0", 3) when isPost || isPut => () => BindingAsync(context, path.Parameter(2)),
            ("lock", "v1.0-alpha1", 3) when isPost => () => LockAsync(context, path.Parameter(2)),
            ("unlock", "v1.0-alpha1", 3) when isPost => () => NoLockStoreAsync(context),
            ("configuration", "v1.0" or "v1.0-alpha1", _) when isGet && IsConfiguration(path) => () =>
                Task.FromResult(new DaprError(500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured")),
            ("crypto", "v1.0-alpha1", 4) when isPut && path.Raw(3) is "encrypt" or "decrypt" => () =>
                Task.FromResult(new DaprError(500, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", "crypto providers not configured")),
            ("subtlecrypto", "v1.0-alpha1", 4) when isPost && path.Raw(3) is "getkey" or "encrypt" or "decrypt" or "wrapkey" or "unwrapkey" or "sign" or "verify" => () =>
                AfterBodyAsync(context, new DaprError(501, "ERR_API_UNIMPLEMENTED", "this API is currently not implemented")),
            ("conversation", "v1.0-alpha1" or "v1.0-alpha2", 4) when isPost && path.Is(3, "converse") => () =>
                AfterBodyAsync(context, new DaprError(400, "ERR_CONVERSATION_NOT_FOUND", $"failed finding conversation component {path.Parameter(2)}")),
            ("jobs", "v1.0" or "v1.0-alpha1", 3) when isPost => async () => _jobs.Schedule(path.Parameter(2), await ReadAsync(context)),
            ("jobs", "v1.0" or "v1.0-alpha1", 3) when isGet || HttpMethods.IsDelete(method) => () => Task.FromResult(isGet ? _jobs.Get() : _jobs.Delete()),
            ("workflows", "v1.0" or "v1.0-alpha1" or "v1.0-beta1", _) when _workflows.Find(context, path) is { } error => () => Task.FromResult(error),
            _ => null,
        };
    }

    private static bool IsConfiguration(ApiPath path) => path.Count == 3 || (path.Count == 4 && path.Is(3, "subscribe")) || (path.Count == 5 && path.Is(4, "unsubscribe"));

    private async Task<DaprError> BindingAsync(HttpContext context, string name)
    {
        try
        {
            using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
        }
        catch (DaprErrorException e)
        {
            return e.Error;
        }

        return new DaprError(500, "ERR_INVOKE_OUTPUT_BINDING", $"error invoking output binding {name}: couldn't find output binding {name}");
    }

    /// <summary>The expiry is looked at before the store, everything else after it.</summary>
    private async Task<DaprError> LockAsync(HttpContext context, string store)
    {
        var body = await ReadAsync(context);
        var expiry = ProtoJson.Find(body, "expiryInSeconds", "expiry_in_seconds");
        var seconds = expiry?.ValueKind switch
        {
            null or JsonValueKind.Null => 0,
            JsonValueKind.Number when expiry.Value.TryGetInt32(out var number) => number,
            JsonValueKind.String when int.TryParse(expiry.Value.GetString(), out var number) => number,
            _ => throw new DaprErrorException(DaprError.Malformed($"invalid value for int32 field expiryInSeconds: {expiry.Value.GetRawText()}")),
        };
        return seconds > 0 ? NoLockStore : new DaprError(400, "ERR_MALFORMED_REQUEST", $"ExpiryInSeconds is not positive in lock store {store}");
    }

    private static DaprError NoLockStore => new(500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured");

    private Task<DaprError> NoLockStoreAsync(HttpContext context) => AfterBodyAsync(context, NoLockStore);

    /// <summary>The error, unless the body cannot be read, which daprd does first.</summary>
    private async Task<DaprError> AfterBodyAsync(HttpContext context, DaprError error)
    {
        await ReadAsync(context);
        return error;
    }

    private Task<JsonElement?> ReadAsync(HttpContext context) => ProtoJson.ReadAsync(context, maxBodyBytes);
}
