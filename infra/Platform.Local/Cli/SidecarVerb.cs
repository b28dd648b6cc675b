using System.CommandLine;
using Platform.DataPlane;
using Platform.Local.Sidecar;
using Platform.Local.Sidecar.Resources;
using Platform.Local.Supervisor;

namespace Platform.Local.Cli;

/// <summary><c>platform sidecar</c>: one embedded sidecar for one app, under daprd's flag names.</summary>
internal static class SidecarVerb
{
    public static Command Create()
    {
        var appId = new Option<string>("--app-id") { Description = "Dapr app id", Required = true };
        var appPort = new Option<int?>("--app-port") { Description = "Port on which the app listens (default: it serves nothing)" };
        var httpPort = new Option<int>("--dapr-http-port") { Description = "Port of the Dapr HTTP API; 0 for any free one", DefaultValueFactory = _ => 3500 };
        var resources = new Option<string[]>("--resources-path") { Description = "Folder with components and other resources; may be repeated" };
        var address = new Option<string>("--app-channel-address") { Description = "Host on which the app listens", DefaultValueFactory = _ => "127.0.0.1" };
        var protocol = new Option<string>("--app-protocol") { Description = "Protocol to the app: http or h2c", DefaultValueFactory = _ => "http" };
        var concurrency = new Option<int>("--app-max-concurrency") { Description = "Calls that the app gets at a time; -1 for any number", DefaultValueFactory = _ => -1 };
        var config = new Option<string?>("--config") { Description = "Configuration file" };
        var bodySize = new Option<string>("--max-body-size") { Description = "Largest request body, for example 16Mi", DefaultValueFactory = _ => "4Mi" };
        var health = new Option<bool>("--enable-app-health-check") { Description = "Ask the app's health route" };
        var healthPath = new Option<string>("--app-health-check-path") { Description = "The app's health route", DefaultValueFactory = _ => "/healthz" };
        var healthInterval = new Option<int>("--app-health-probe-interval") { Description = "Seconds between health checks", DefaultValueFactory = _ => 5 };
        var healthTimeout = new Option<int>("--app-health-probe-timeout") { Description = "Milliseconds for the answer of a health check", DefaultValueFactory = _ => 500 };
        var healthThreshold = new Option<int>("--app-health-threshold") { Description = "Failures in a row that make the app unhealthy", DefaultValueFactory = _ => 3 };
        var logLevel = new Option<string>("--log-level") { Description = "debug, info, warn, error or fatal", DefaultValueFactory = _ => "info" };
        var verb = ExampleHelp.Add(
            new Command("sidecar", "Serve the Dapr HTTP API for one app, as daprd does. State is kept in the state folder. Tokens come from DAPR_API_TOKEN and APP_API_TOKEN.")
            {
                appId, appPort, httpPort, resources, address, protocol, concurrency, config, bodySize, health, healthPath, healthInterval, healthTimeout, healthThreshold, logLevel,
            },
            "platform sidecar --app-id orders --app-port 5000 --dapr-http-port 3500 --resources-path ./components/local");
        verb.SetAction(async (command, cancellationToken) =>
        {
            var options = new SidecarOptions
            {
                AppId = command.GetValue(appId)!,
                AppPort = command.GetValue(appPort),
                HttpPort = command.GetValue(httpPort),
                ResourcesPaths = [.. (command.GetValue(resources) ?? []).Select(Path.GetFullPath)],
                ConfigPath = command.GetValue(config) is { } file ? Path.GetFullPath(file) : null,
                AppChannelAddress = command.GetValue(address)!,
                AppProtocol = command.GetValue(protocol)!,
                AppMaxConcurrency = command.GetValue(concurrency),
                MaxBodyBytes = ByteQuantity.Parse(command.GetValue(bodySize)!),
                EnableAppHealthCheck = command.GetValue(health),
                AppHealthCheckPath = command.GetValue(healthPath)!,
                AppHealthProbeInterval = TimeSpan.FromSeconds(Math.Max(1, command.GetValue(healthInterval))),
                AppHealthProbeTimeout = TimeSpan.FromMilliseconds(Math.Max(1, command.GetValue(healthTimeout))),
                AppHealthThreshold = Math.Max(1, command.GetValue(healthThreshold)),
                ApiToken = Environment.GetEnvironmentVariable("DAPR_API_TOKEN"),
                AppApiToken = Environment.GetEnvironmentVariable("APP_API_TOKEN"),
                LogLevel = DaprLogLevel.Parse(command.GetValue(logLevel)!),
            };
            var home = CommonOptions.HomeOf(command);
            using var loggers = LoggerFactory.Create(logging => logging.AddSimpleConsole(console => console.SingleLine = true).AddFilter("Microsoft.AspNetCore", LogLevel.Warning));
            try
            {
                await StandaloneSidecar.RunStandaloneAsync(
                    options,
                    Path.Combine(home.Root, "sidecars"),
                    loggers,
                    sidecar => Console.WriteLine($"The sidecar of {sidecar.AppId} serves the Dapr HTTP API on http://127.0.0.1:{sidecar.HttpPort}. Ctrl-c stops it."),
                    cancellationToken);
                return ExitCodes.Done;
            }
            catch (Exception error) when (error is SidecarException or ResourceException or StorageException)
            {
                throw new PlatformException(error.Message, error);
            }
        });
        return verb;
    }
}
