using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar;

/// <summary>The building blocks that the embedded sidecar does not have: it answers as a daprd does in which no such component is configured.</summary>
internal static class AbsentBuildingBlocks
{
    /// <summary>The error for a path; null if it belongs to none of them.</summary>
    public static DaprError? Find(HttpContext context, ApiPath path)
    {
        var isPost = HttpMethods.IsPost(context.Request.Method) || HttpMethods.IsPut(context.Request.Method);
        var isGet = HttpMethods.IsGet(context.Request.Method);
        return path.Count < 3 ? null : path.Raw(1) switch
        {
            "bindings" when isPost && path.Count == 3 => new DaprError(500, "ERR_INVOKE_OUTPUT_BINDING", $"error invoking output binding {path.Parameter(2)}: couldn't find output binding {path.Parameter(2)}"),
            "lock" when isPost && path.Count == 3 => new DaprError(500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured"),
            "unlock" when isPost && path.Count == 3 => new DaprError(500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured"),
            "configuration" when isGet => new DaprError(500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured"),
            "crypto" or "subtlecrypto" => new DaprError(500, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", "crypto providers not configured"),
            "jobs" => new DaprError(500, "ERR_SCHEDULER_CLIENT", "the scheduler is not available in the embedded sidecar; run under daprd to use jobs"),
            "workflows" => new DaprError(501, "ERR_WORKFLOW_NOT_AVAILABLE", "workflows are not available in the embedded sidecar; run under daprd to use them"),
            _ => null,
        };
    }
}
