using System.Text.Json;
using System.Text.Json.Serialization;

namespace Platform.Local.Demo;

/// <summary>What the demo saw, as <c>--json</c> prints it. Every figure is measured in this run; a step that was not reached is null.</summary>
internal sealed record DemoReport
{
    /// <summary>True only if every step did what it says.</summary>
    public bool Ok { get; init; }

    /// <summary>Why not.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; init; }

    /// <summary>The programs, as they were started.</summary>
    public IReadOnlyList<DemoProcess> Processes { get; init; } = [];

    /// <summary>The first call: nothing of the model near the worker.</summary>
    public DemoCall? Cold { get; init; }

    /// <summary>The same call again.</summary>
    public DemoCall? Warm { get; init; }

    /// <summary>A batch through the queue.</summary>
    public DemoJob? Job { get; init; }

    /// <summary>A batch whose worker was killed.</summary>
    public DemoJob? KilledJob { get; init; }

    /// <summary>From the start of the command to the end of the last step, in milliseconds.</summary>
    public double TotalMs { get; init; }
}

/// <summary>A program.</summary>
internal sealed record DemoProcess(string Name, [property: JsonPropertyName("pid")] int ProcessId);

/// <summary>A completion.</summary>
/// <param name="TotalMs">From the request to the last byte, seen by the client.</param>
/// <param name="PhasesMs">Where the worker and the router say the time went.</param>
/// <param name="ObjectStoreBytes">Bytes really read from object storage for this call.</param>
/// <param name="NvmeBytes">Bytes read from the NVMe tier for this call.</param>
/// <param name="Tokens">Tokens made.</param>
/// <param name="Pieces">Pieces of text that arrived one after the other.</param>
/// <param name="Text">The text.</param>
internal sealed record DemoCall(double TotalMs, IReadOnlyDictionary<string, double> PhasesMs, long ObjectStoreBytes, long NvmeBytes, int Tokens, int Pieces, string Text);

/// <summary>A job.</summary>
internal sealed record DemoJob(string Id, string State, int Attempts, int Items);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(DemoReport))]
internal sealed partial class DemoJson : JsonSerializerContext;
