using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Absent;

/// <summary>The workflow API as a daprd answers it to which no workflow worker is connected, as none can be without gRPC: there are no instances, and nobody hosts the actors of new ones.</summary>
/// <remarks>Where daprd would try again until the caller gives up (start), the error that it meets each time is answered at once.</remarks>
internal sealed class AbsentWorkflows(string appId, bool hasActorStore)
{
    private const int MaxInstanceIdLength = 64;
    private const string NoActorStore =
        "api error: code = Internal desc = the state store is not configured to use the actor runtime. Have you set the - name: actorStateStore value: \"true\" in your state store component file?";

    /// <summary>The answer to a request; null if it is no route of workflows.</summary>
    public DaprError? Find(HttpContext context, ApiPath path)
    {
        var isGet = HttpMethods.IsGet(context.Request.Method);
        if (isGet && path.Count == 4)
        {
            return Get(path.Parameter(3));
        }

        if (!HttpMethods.IsPost(context.Request.Method) || path.Count < 5)
        {
            return null;
        }

        var subject = path.Parameter(3);
        return (path.Raw(4), path.Count) switch
        {
            ("start", 5) => Start(subject, context.Request.Query["instanceID"].ToString()),
            ("terminate", 5) => OfInstance("TERMINATE", "terminating", "terminate", subject, quoted: true),
            ("purge", 5) => hasActorStore ? NotFound(subject) : OfInstance("PURGE", "purging", "Purge", subject, quoted: false),
            ("pause", 5) => OfInstance("PAUSE", "pausing", "pause", subject, quoted: false),
            ("resume", 5) => OfInstance("RESUME", "resuming", "resume", subject, quoted: false),
            ("raiseEvent", 6) => RaiseEvent(subject, path.Parameter(5)),
            _ => null,
        };
    }

    private DaprError Get(string instance) => hasActorStore
        ? NotFound(instance)
        : new DaprError(500, "ERR_GET_WORKFLOW", $"error while getting workflow info on instance '{instance}': failed to get workflow metadata for '{instance}': {NoActorStore}");

    private DaprError Start(string workflow, string instance)
    {
        if (instance.Length == 0)
        {
            instance = Guid.NewGuid().ToString();
        }

        if (instance.Length > MaxInstanceIdLength)
        {
            return new DaprError(400, "ERR_INSTANCE_ID_TOO_LONG", $"workflow instance ID exceeds the max length of {MaxInstanceIdLength} characters");
        }

        return instance.All(c => char.IsLetterOrDigit(c) || c is '_' or '-')
            ? new DaprError(500, "ERR_START_WORKFLOW", $"error starting workflow '{workflow}': unable to start workflow: {Reason(instance)}")
            : new DaprError(400, "ERR_INSTANCE_ID_INVALID", $"workflow instance ID '{instance}' is invalid: only alphanumeric and underscore characters are allowed");
    }

    private DaprError RaiseEvent(string instance, string name) =>
        new(500, "ERR_RAISE_EVENT_WORKFLOW", $"error raising event on workflow '{instance}': failed to raise event {name} on workflow {instance}: {Reason(instance)}");

    private DaprError OfInstance(string code, string doing, string what, string instance, bool quoted) =>
        new(500, $"ERR_{code}_WORKFLOW", $"error {doing} workflow {(quoted ? $"'{instance}'" : instance)}: failed to {what} workflow {instance}: {Reason(instance)}");

    private static DaprError NotFound(string instance) => new(404, "ERR_INSTANCE_ID_NOT_FOUND", $"unable to find workflow with the provided instance ID: {instance}");

    private string Reason(string instance) => hasActorStore
        ? $"api error: code = FailedPrecondition desc = did not find address for actor 'dapr.internal.default.{appId}.workflow||{instance}'"
        : NoActorStore;
}
