using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Platform.Jobs;

namespace Platform.Local.Supervisor;

/// <summary>What is running on a state folder, as <c>run.json</c> in it says: how other commands find the platform, and how the next start finds leftovers.</summary>
/// <param name="SupervisorId">Process id of <c>platform up</c>.</param>
/// <param name="StartedAt">When it started, UTC.</param>
/// <param name="Url">Address of the Functions host; null if there is no function app.</param>
/// <param name="Processes">The programs it started.</param>
internal sealed record RunFile(int SupervisorId, DateTimeOffset StartedAt, string? Url, IReadOnlyList<RunningProcess> Processes)
{
    /// <summary>Reads the file; null if nothing runs, or if what it names is gone.</summary>
    public static RunFile? Read(HomeFolder home)
    {
        try
        {
            var run = JsonSerializer.Deserialize(File.ReadAllBytes(home.RunFile), RunFileJson.Default.RunFile);
            return run is not null && IsAlive(run.SupervisorId, "dotnet", "platform") ? run : null;
        }
        catch (Exception error) when (error is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Replaces the file in one step.</summary>
    public void Write(HomeFolder home)
    {
        var temporary = home.RunFile + ".new";
        File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(this, RunFileJson.Default.RunFile));
        File.Move(temporary, home.RunFile, overwrite: true);
    }

    private static bool IsAlive(int processId, params string[] names)
    {
        try
        {
            using var process = Process.GetProcessById(processId);
            return names.Contains(process.ProcessName);
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}

/// <summary>One program of a running platform.</summary>
/// <param name="Name">App id.</param>
/// <param name="ProcessId">Its process; null while it is down.</param>
/// <param name="AppPort">Where it listens; null if it serves nothing to Dapr.</param>
/// <param name="DaprPort">Where its sidecar listens.</param>
/// <param name="Restarts">How often it was started again.</param>
/// <param name="GaveUp">Why it is not started again any more; null as long as it is.</param>
internal sealed record RunningProcess(string Name, int? ProcessId, int? AppPort, int DaprPort, int Restarts, string? GaveUp = null);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true)]
[JsonSerializable(typeof(RunFile))]
internal sealed partial class RunFileJson : JsonSerializerContext;
