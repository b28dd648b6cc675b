using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Invocations;

namespace Platform.Local.FunctionsHost.Keys;

/// <summary>Lets callers in by key: header <c>x-functions-key</c> first, else query <c>code</c>.</summary>
internal sealed class KeyGate(HostKeys keys, bool enforced)
{
    public bool LetsIn(HttpContext context, FunctionDefinition function) => !enforced || function.Trigger.Text("authLevel")?.ToLowerInvariant() switch
    {
        "anonymous" => true,
        "admin" => keys.IsMaster(KeyOf(context.Request)),
        _ => keys.Opens(function.Name, KeyOf(context.Request)),
    };

    public bool IsAdmin(HttpContext context) => !enforced || keys.IsMaster(KeyOf(context.Request));

    /// <summary>True if the caller has shown the master key, whether or not keys are enforced.</summary>
    public bool IsMaster(HttpContext context) => keys.IsMaster(KeyOf(context.Request));

    private static string? KeyOf(HttpRequest request) =>
        request.Headers.TryGetValue(HostHeaders.FunctionsKey, out var header) ? header.ToString() : request.Query["code"].FirstOrDefault();
}
