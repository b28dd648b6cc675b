using System.CommandLine;
using Platform.Local.Supervisor;

namespace Platform.Local.Cli;

/// <summary>The options of the verbs that start a platform.</summary>
internal sealed class PlatformStartOptions
{
    private readonly Option<string?> _runFile = new("--run-file", "-f") { Description = "Run template, or its folder (default: the nearest dapr.yaml above the working directory or the program)" };
    private readonly Option<int?> _port = new("--port", "-p") { Description = "Port of the Functions host (default: that of the template's func command, 7071)" };
    private readonly Option<string[]> _appPorts = new("--app-port") { Description = "APP=PORT: where an app listens; may be repeated" };
    private readonly Option<string[]> _daprPorts = new("--dapr-port") { Description = "APP=PORT: where an app's sidecar listens; may be repeated" };
    private readonly Option<bool> _anyPorts = new("--any-ports") { Description = "Take any free port wherever no option names one" };
    private readonly Option<LogLevel> _logLevel = new("--log-level") { Description = "Least level of the platform's own lines", DefaultValueFactory = _ => LogLevel.Information };

    public void AddTo(Command verb)
    {
        verb.Options.Add(_runFile);
        verb.Options.Add(_port);
        verb.Options.Add(_appPorts);
        verb.Options.Add(_daprPorts);
        verb.Options.Add(_anyPorts);
        verb.Options.Add(_logLevel);
    }

    public LocalPlatformOptions Read(ParseResult command, Action<string, string> follow)
    {
        try
        {
            return new LocalPlatformOptions
            {
                Home = CommonOptions.HomeOf(command),
                Template = RunTemplate.Load(command.GetValue(_runFile) ?? NearestTemplate()),
                FunctionsPort = command.GetValue(_port),
                AppPorts = Ports(command.GetValue(_appPorts), "--app-port"),
                DaprPorts = Ports(command.GetValue(_daprPorts), "--dapr-port"),
                AnyPorts = command.GetValue(_anyPorts),
                LogLevel = command.GetValue(_logLevel),
                Follow = follow,
            };
        }
        catch (RunTemplateException error)
        {
            throw new PlatformException(error.Message, error);
        }
    }

    private static string NearestTemplate()
    {
        foreach (var start in new[] { Environment.CurrentDirectory, AppContext.BaseDirectory })
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                var file = Path.Combine(folder.FullName, "dapr.yaml");
                if (File.Exists(file))
                {
                    return file;
                }
            }
        }

        return Path.Combine(Environment.CurrentDirectory, "dapr.yaml");
    }

    private static Dictionary<string, int> Ports(string[]? pairs, string option)
    {
        var ports = new Dictionary<string, int>();
        foreach (var pair in pairs ?? [])
        {
            var parts = pair.Split('=');
            ports[parts[0]] = parts.Length == 2 && int.TryParse(parts[1], out var port) && port is >= 0 and <= 65535
                ? port
                : throw new PlatformException($"{option} '{pair}': expected APP=PORT with a port of 0 to 65535.", ExitCodes.Usage);
        }

        return ports;
    }
}
