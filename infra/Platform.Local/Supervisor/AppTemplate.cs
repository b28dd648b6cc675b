using System.Globalization;
using Platform.Local.Sidecar;

namespace Platform.Local.Supervisor;

/// <summary>One app of a run template, its paths absolute and the common values merged in.</summary>
internal sealed record AppTemplate
{
    /// <summary>Dapr app id.</summary>
    public required string AppId { get; init; }

    /// <summary>Working directory of the app.</summary>
    public required string Folder { get; init; }

    /// <summary>Port on which the app listens; null if it serves nothing to Dapr; 0 for any free one.</summary>
    public int? AppPort { get; init; }

    /// <summary>Port of the app's sidecar; null or 0 for any free one.</summary>
    public int? DaprHttpPort { get; init; }

    /// <summary>Program and arguments; empty for a sidecar without a program.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>Added to the app's environment.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>When the program is started again. Not Dapr's: its CLI ignores the keys <c>restartPolicy</c> and <c>maxRestarts</c>.</summary>
    public RestartPolicy Restart { get; init; } = new();

    /// <summary>Settings of the sidecar, without its ports and tokens.</summary>
    public required SidecarOptions Sidecar { get; init; }

    /// <summary>True if the command is Core Tools (<c>func start</c>), in whose place the embedded Functions host runs the folder.</summary>
    public bool IsFunctionApp => Command is ["func", "start", ..] or ["func", "host", "start", ..];

    /// <summary>The port that the <c>func</c> command names; Core Tools' 7071 if it names none.</summary>
    public int FunctionsPort
    {
        get
        {
            for (var i = 0; i + 1 < Command.Count; i++)
            {
                if (Command[i] is "--port" or "-p" && int.TryParse(Command[i + 1], CultureInfo.InvariantCulture, out var port))
                {
                    return port;
                }
            }

            return 7071;
        }
    }
}
