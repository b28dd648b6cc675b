using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Platform.Jobs;
using Platform.Local.FunctionsHost;
using Platform.Local.FunctionsHost.Http;

namespace Platform.Local.Cli;

/// <summary><c>platform host</c>: the embedded Functions host alone, for any custom-handler app.</summary>
internal static class HostVerb
{
    public static Command Create()
    {
        var root = new Option<DirectoryInfo>("--app-root") { Description = "Folder with host.json and one folder per function", DefaultValueFactory = _ => new DirectoryInfo(".") };
        var port = new Option<int>("--port", "-p") { Description = "Port to serve; 0 for any free one", DefaultValueFactory = _ => 7071 };
        port.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() is < 0 or > 65535)
            {
                result.AddError($"--port is {result.Tokens[0].Value}; expected 0 to 65535.");
            }
        });
        var address = new Option<IPAddress>("--address") { Description = "Address to bind to; keys are enforced on any but loopback", DefaultValueFactory = _ => IPAddress.Loopback, CustomParser = ParseAddress };
        var enforceKeys = new Option<bool>("--enable-auth") { Description = "Enforce keys on loopback too" };
        var verb = ExampleHelp.Add(new Command("host", "Serve one function app (custom handler), as `func start` does. Queues, timers and keys are kept in the state folder.") { root, port, address, enforceKeys }, "platform host --app-root ./my-functions --port 7071");
        verb.SetAction(async (command, cancellationToken) =>
        {
            InlineSockets.Enable();
            using var loggers = LoggerFactory.Create(logging => logging.AddSimpleConsole(console => console.SingleLine = true).AddFilter("Microsoft", LogLevel.Warning).AddRequestFilter());
            try
            {
                await using var host = await EmbeddedFunctionsHost.StartAsync(
                    new FunctionsHostOptions
                    {
                        AppRoot = command.GetValue(root)!.FullName,
                        Port = command.GetValue(port),
                        Address = command.GetValue(address)!.ToString(),
                        EnforceKeysOnLoopback = command.GetValue(enforceKeys),
                        StateFolder = Path.Combine(CommonOptions.HomeOf(command).Root, "hosts", StateNameOf(command.GetValue(root)!.FullName)),
                        Environment = new Dictionary<string, string>(),
                        HandlerOutput = (line, isError) => (isError ? Console.Error : Console.Out).WriteLine(line),
                    },
                    loggers,
                    cancellationToken);
                Console.WriteLine($"Functions host listens on http://{new IPEndPoint(command.GetValue(address)!, host.Port)}. Ctrl-c stops it.");
                await host.Stopped.WaitAsync(cancellationToken);
                return ExitCodes.Failed;
            }
            catch (FunctionAppException error)
            {
                throw new PlatformException(error.Message, error);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return ExitCodes.Done;
            }
        });
        return verb;
    }

    /// <summary>The name of an app's state: that of its folder, and what tells it from others of that name.</summary>
    private static string StateNameOf(string appRoot)
    {
        var path = Path.TrimEndingDirectorySeparator(appRoot);
        return $"{Path.GetFileName(path)}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..8]}".TrimStart('-');
    }

    private static IPAddress? ParseAddress(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (text.Equals("localhost", StringComparison.OrdinalIgnoreCase))
        {
            return IPAddress.Loopback;
        }

        if (IPAddress.TryParse(text, out var address))
        {
            return address;
        }

        result.AddError($"--address is '{text}'; expected an IP address of this machine: 127.0.0.1 for callers on it, 0.0.0.0 for all.");
        return null;
    }
}
