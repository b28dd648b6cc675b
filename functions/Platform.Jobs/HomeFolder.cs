namespace Platform.Jobs;

/// <summary>The one folder that holds the state of a local platform, and what lies where in it.</summary>
/// <remarks><code>
/// .platform/
///   version              format of this folder, one number
///   run.json             processes and ports of the running `platform up`
///   objects/             object storage (a directory)
///   sidecar/             state, messages and reminders of the embedded sidecars
///   functions/           queues, timer schedule, keys of the embedded Functions host
///   nodes/{worker}/tier/ NVMe tier of one worker
///   logs/{process}.log   what each process printed
/// </code></remarks>
public sealed class HomeFolder
{
    /// <summary>Environment variable that moves the folder.</summary>
    public const string Variable = "PLATFORM_HOME";

    /// <summary>Format that this code reads and writes.</summary>
    public const int FormatVersion = 1;

    /// <summary>Names the folder; nothing is created.</summary>
    public HomeFolder(string path) => Root = Path.GetFullPath(path);

    /// <summary>Absolute path of the folder.</summary>
    public string Root { get; }

    /// <summary>File with the format's version.</summary>
    public string VersionFile => Path.Combine(Root, "version");

    /// <summary>File with the running processes.</summary>
    public string RunFile => Path.Combine(Root, "run.json");

    /// <summary>Root of the directory object storage.</summary>
    public string Objects => Path.Combine(Root, "objects");

    /// <summary>State of the embedded sidecars.</summary>
    public string Sidecar => Path.Combine(Root, "sidecar");

    /// <summary>State of the embedded Functions host.</summary>
    public string Functions => Path.Combine(Root, "functions");

    /// <summary>Kept logs.</summary>
    public string Logs => Path.Combine(Root, "logs");

    /// <summary>A worker's own folder.</summary>
    public string Node(string worker) => Path.Combine(Root, "nodes", worker);

    /// <summary>A worker's NVMe tier.</summary>
    public string Tier(string worker) => Path.Combine(Node(worker), "tier");

    /// <summary>The folder that <paramref name="path"/> names; else that of <see cref="Variable"/>; else <c>.platform</c> beside the nearest <c>dapr.yaml</c> above the working directory; else <c>.platform</c> in it.</summary>
    public static HomeFolder Resolve(string? path = null)
    {
        path ??= Environment.GetEnvironmentVariable(Variable);
        if (!string.IsNullOrEmpty(path))
        {
            return new HomeFolder(path);
        }

        for (var folder = new DirectoryInfo(Environment.CurrentDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "dapr.yaml")))
            {
                return new HomeFolder(Path.Combine(folder.FullName, ".platform"));
            }
        }

        return new HomeFolder(".platform");
    }
}
