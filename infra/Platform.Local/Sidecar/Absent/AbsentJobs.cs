using System.Text.Json;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Absent;

/// <summary>The jobs API as a daprd without a scheduler (<c>--scheduler-host-address ""</c>) answers it: requests are checked, and no scheduler takes them.</summary>
internal sealed class AbsentJobs(string appId)
{
    private const string Disabled = "scheduler clients are disabled";

    /// <summary>Makes a job.</summary>
    public DaprError Schedule(string name, JsonElement? job)
    {
        if (ProtoJson.Find(job, "name", "name") is { ValueKind: JsonValueKind.String } inBody && inBody.GetString() is { Length: > 0 })
        {
            return Error(400, "JOB_NAME", "Set the job name in the url only", withNamespace: false);
        }

        if (name.AsSpan().Trim().IsEmpty)
        {
            return Error(400, "JOB_NAME_EMPTY", "Name is empty");
        }

        return IsSet(job, "schedule", "schedule") || IsSet(job, "dueTime", "due_time")
            ? Error(500, "SCHEDULE_JOB", "failed to schedule job due to: " + Disabled)
            : Error(400, "SCHEDULE_EMPTY", "Schedule is empty");
    }

    /// <summary>Reads a job.</summary>
    public DaprError Get() => Error(500, "GET_JOB", "failed to get job due to: " + Disabled);

    /// <summary>Removes a job.</summary>
    public DaprError Delete() => Error(500, "DELETE_JOB", "failed to delete job due to: " + Disabled);

    private static bool IsSet(JsonElement? job, string camel, string snake) => ProtoJson.Find(job, camel, snake) is { ValueKind: not JsonValueKind.Null };

    private DaprError Error(int status, string reason, string message, bool withNamespace = true)
    {
        var metadata = new Dictionary<string, string> { ["appID"] = appId };
        if (withNamespace)
        {
            metadata["namespace"] = "default";
        }

        return new DaprError(status, "DAPR_SCHEDULER_" + reason, message) { Details = new DaprErrorDetails("DAPR_SCHEDULER_" + reason) { Metadata = metadata } };
    }
}
