using System.Globalization;
using Platform.Local.Sidecar;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Platform.Local.Supervisor;

/// <summary>A parsed <c>dapr.yaml</c> (Dapr's multi-app run template, version 1): what to run, where, with which ports and resources.</summary>
/// <remarks>As in the Dapr CLI: paths under <c>common</c> and <c>appDirPath</c> start at the file's folder, all others at the app's folder; the app's values win over <c>.dapr/resources</c> and <c>.dapr/config.yaml</c> in its folder, and these over <c>common</c>'s; unknown keys are ignored. Not taken over: what
/// <c>dapr init</c> put into the home folder, for want of all of these.</remarks>
internal sealed record RunTemplate(string Path, string Name, IReadOnlyList<AppTemplate> Apps)
{
    /// <summary>Reads a template file, or the <c>dapr.yaml</c> in a folder.</summary>
    /// <exception cref="RunTemplateException">The file is absent, is not YAML, or lacks what an app needs; the message has file and line.</exception>
    public static RunTemplate Load(string path)
    {
        if (Directory.Exists(path))
        {
            path = System.IO.Path.Combine(path, "dapr.yaml");
        }

        path = System.IO.Path.GetFullPath(path);
        if (!File.Exists(path))
        {
            throw new RunTemplateException($"There is no run template '{path}'. Name one with --run-file, or start in a folder that has a dapr.yaml.");
        }

        var yaml = new YamlStream();
        try
        {
            using var reader = File.OpenText(path);
            yaml.Load(reader);
        }
        catch (YamlException error)
        {
            throw new RunTemplateException($"{path}({error.Start.Line}): not YAML: {error.Message}");
        }

        if (yaml.Documents.Count == 0 || yaml.Documents[0].RootNode is not YamlMappingNode root)
        {
            throw new RunTemplateException($"{path}: expected a mapping with 'version' and 'apps', found nothing of the kind.");
        }

        return new TemplateReader(path).Read(root);
    }

    private sealed class TemplateReader(string path)
    {
        private readonly string _folder = System.IO.Path.GetDirectoryName(path)!;

        public RunTemplate Read(YamlMappingNode root)
        {
            if (Scalar(root, "version") != "1")
            {
                throw Error(root, $"expected 'version: 1', found '{Scalar(root, "version") ?? "none"}'.");
            }

            if (Child(root, "apps") is not YamlSequenceNode { Children.Count: > 0 } apps)
            {
                throw Error(root, "expected at least one entry under 'apps'.");
            }

            var common = Child(root, "common") as YamlMappingNode ?? [];
            var read = apps.Children.Select(app => app is YamlMappingNode map ? ReadApp(map, common) : throw Error(app, "expected a mapping.")).ToList();
            if (read.GroupBy(app => app.AppId).FirstOrDefault(group => group.Count() > 1) is { } twice)
            {
                throw Error(apps, $"two apps have the id '{twice.Key}'; ids must differ.");
            }

            return new RunTemplate(path, Scalar(root, "name") ?? System.IO.Path.GetFileName(_folder), read);
        }

        private AppTemplate ReadApp(YamlMappingNode app, YamlMappingNode common)
        {
            var folder = Scalar(app, "appDirPath") ?? throw Error(app, "an app needs 'appDirPath'.");
            folder = System.IO.Path.GetFullPath(folder, _folder);
            if (!Directory.Exists(folder))
            {
                throw Error(app, $"appDirPath '{folder}' does not exist. Build first: dotnet build Platform.sln.");
            }

            var environment = Map(common, "env");
            foreach (var (name, value) in Map(app, "env"))
            {
                environment[name] = value;
            }

            var resources = Paths(app, folder);
            if (resources.Count == 0 && Directory.Exists(System.IO.Path.Combine(folder, ".dapr", "resources")))
            {
                resources = [System.IO.Path.Combine(folder, ".dapr", "resources")];
            }

            return new AppTemplate
            {
                AppId = Scalar(app, "appID") ?? System.IO.Path.GetFileName(folder),
                Folder = folder,
                AppPort = Port(app, "appPort"),
                DaprHttpPort = Port(app, "daprHTTPPort"),
                Command = Strings(app, "command"),
                Environment = environment,
                Restart = RestartOf(app, common),
                Sidecar = SidecarOf(app, common, folder) with { ResourcesPaths = resources.Count > 0 ? resources : Paths(common, _folder) },
            };
        }

        /// <summary>What the template says about the sidecar; ports are for whoever starts it.</summary>
        private SidecarOptions SidecarOf(YamlMappingNode app, YamlMappingNode common, string folder)
        {
            string? Text(string key) => Scalar(app, key) ?? Scalar(common, key);
            int? Count(string key) => Number(app, key) ?? Number(common, key);
            T Checked<T>(Func<T> parse, string key)
            {
                try
                {
                    return parse();
                }
                catch (PlatformException e)
                {
                    throw Error(Child(app, key) ?? Child(common, key)!, $"{key}: {e.Message}");
                }
            }

            var defaults = new SidecarOptions { AppId = Scalar(app, "appID") ?? System.IO.Path.GetFileName(folder) };
            return defaults with
            {
                ConfigPath = Existing(app, "configFilePath", folder) ?? OwnConfiguration(folder) ?? Existing(common, "configFilePath", _folder),
                AppChannelAddress = Scalar(app, "appChannelAddress") is { Length: > 0 } address ? address : defaults.AppChannelAddress,
                AppProtocol = Text("appProtocol") ?? defaults.AppProtocol,
                LogLevel = Text("logLevel") is { } level ? Checked(() => DaprLogLevel.Parse(level), "logLevel") : defaults.LogLevel,
                MaxBodyBytes = Text("maxBodySize") is { } size ? Checked(() => ByteQuantity.Parse(size), "maxBodySize") : defaults.MaxBodyBytes,
                AppMaxConcurrency = Count("appMaxConcurrency") ?? defaults.AppMaxConcurrency,
                EnableAppHealthCheck = bool.TryParse(Text("enableAppHealthCheck"), out var isChecked) && isChecked,
                AppHealthCheckPath = Text("appHealthCheckPath") ?? defaults.AppHealthCheckPath,
                AppHealthProbeInterval = Count("appHealthProbeInterval") is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : defaults.AppHealthProbeInterval,
                AppHealthProbeTimeout = Count("appHealthProbeTimeout") is > 0 and var milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : defaults.AppHealthProbeTimeout,
                AppHealthThreshold = Count("appHealthThreshold") is > 0 and var failures ? failures : defaults.AppHealthThreshold,
            };
        }

        private RestartPolicy RestartOf(YamlMappingNode app, YamlMappingNode common)
        {
            var defaults = new RestartPolicy();
            return defaults with
            {
                When = (Scalar(app, "restartPolicy") ?? Scalar(common, "restartPolicy")) switch
                {
                    null or "always" => RestartWhen.Always,
                    "onFailure" => RestartWhen.OnFailure,
                    "never" => RestartWhen.Never,
                    var other => throw Error(Child(app, "restartPolicy") ?? Child(common, "restartPolicy")!, $"restartPolicy is '{other}'; expected always, onFailure or never."),
                },
                MaxRestarts = Number(app, "maxRestarts") ?? Number(common, "maxRestarts") ?? defaults.MaxRestarts,
            };
        }

        private List<string> Paths(YamlMappingNode node, string from)
        {
            var paths = Strings(node, "resourcesPaths");
            if (Scalar(node, "resourcesPath") is { Length: > 0 } single)
            {
                paths.Add(single);
            }

            return paths.ConvertAll(each =>
            {
                var full = System.IO.Path.GetFullPath(each, from);
                return Directory.Exists(full) ? full : throw Error(node, $"resources path '{full}' does not exist.");
            });
        }

        /// <summary>The Configuration that lies in the app's own folder.</summary>
        private static string? OwnConfiguration(string folder) => System.IO.Path.Combine(folder, ".dapr", "config.yaml") is var file && File.Exists(file) ? file : null;

        private string? Existing(YamlMappingNode node, string key, string from)
        {
            if (Scalar(node, key) is not { } value)
            {
                return null;
            }

            var full = System.IO.Path.GetFullPath(value, from);
            return File.Exists(full) ? full : throw Error(node, $"{key} '{full}' does not exist.");
        }

        private int? Port(YamlMappingNode node, string key) =>
            Number(node, key) is not { } port ? null
            : port is >= 0 and <= 65535 ? port
            : throw Error(node, $"{key} is {port}; expected 0 to 65535.");

        private int? Number(YamlMappingNode node, string key) =>
            Scalar(node, key) is not { } text ? null
            : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
            : throw Error(node, $"{key} is '{text}'; expected a whole number.");

        private List<string> Strings(YamlMappingNode node, string key) => Child(node, key) switch
        {
            null => [],
            YamlSequenceNode sequence => [.. sequence.Children.Select(child => ((child as YamlScalarNode) ?? throw Error(child, "expected a string.")).Value ?? "")],
            var other => throw Error(other, $"{key} must be a YAML list."),
        };

        private Dictionary<string, string> Map(YamlMappingNode node, string key) => Child(node, key) switch
        {
            null => [],
            YamlMappingNode map => map.Children.ToDictionary(pair => ((YamlScalarNode)pair.Key).Value!, pair => (pair.Value as YamlScalarNode)?.Value ?? ""),
            var other => throw Error(other, $"{key} must be a mapping of names to values."),
        };

        private static YamlNode? Child(YamlMappingNode node, string key) => node.Children.TryGetValue(new YamlScalarNode(key), out var child) ? child : null;

        private static string? Scalar(YamlMappingNode node, string key) => (Child(node, key) as YamlScalarNode)?.Value;

        private RunTemplateException Error(YamlNode at, string message) => new($"{path}({at.Start.Line}): {message}");
    }
}

/// <summary>A run template cannot be used; the message is meant for the user.</summary>
internal sealed class RunTemplateException(string message) : Exception(message);
