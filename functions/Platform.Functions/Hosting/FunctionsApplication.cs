using System.Net;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Platform.Jobs;

namespace Platform.Functions.Hosting;

/// <summary>Makes a program a custom handler of a Functions host.</summary>
public static class FunctionsApplication
{
    /// <summary>The host's own limit, so that this process never refuses what the host let in.</summary>
    private const long MaxRequestBodyBytes = 104_857_600;

    /// <summary>What the program says where nobody runs it as a handler.</summary>
    internal const string NoHost = "FUNCTIONS_CUSTOMHANDLER_PORT is not set: this program is the handler of a Functions host. Run 'platform host', or 'func start' in this program's folder.";

    /// <summary>Begins a program of functions: those of the entry assembly.</summary>
    /// <remarks>With the arguments <c>--emit-functions FOLDER</c>, by which the build writes <c>host.json</c> and each <c>function.json</c>, the process does that and ends. Without a Functions host above it, it says so and ends.</remarks>
    public static FunctionsApplicationBuilder CreateBuilder(string[] args) => new(args, Assembly.GetEntryAssembly()!, BeginOrEnd(args));

    /// <summary>The port to serve; or the process ends, because it was started to write the app's files, or by nobody who is a host.</summary>
    internal static int BeginOrEnd(string[] args)
    {
        if (args is ["--emit-functions", var folder])
        {
            FunctionAppWriter.Write(Assembly.GetEntryAssembly()!, folder);
            Environment.Exit(0);
        }

        if (HandlerPort() is { } port)
        {
            return port;
        }

        Console.Error.WriteLine(NoHost);
        Environment.Exit(2);
        throw new InvalidOperationException(NoHost);
    }

    /// <summary>The port on which the host expects this process; null if no Functions host started it.</summary>
    internal static int? HandlerPort()
    {
        var port = Environment.GetEnvironmentVariable("FUNCTIONS_CUSTOMHANDLER_PORT") ?? Environment.GetEnvironmentVariable("FUNCTIONS_HTTPWORKER_PORT");
        return int.TryParse(port, out var number) ? number : null;
    }

    /// <summary>Adds the functions of <paramref name="assembly"/> and binds the server to <paramref name="port"/> of the loopback address.</summary>
    internal static WebApplicationBuilder AddFunctions(this WebApplicationBuilder builder, Assembly assembly, int port)
    {
        builder.WebHost.ConfigureKestrel(kestrel => Listen(kestrel, port));
        builder.Services.AddFunctions(assembly);
        return builder;
    }

    /// <summary>Binds the server to <paramref name="port"/> of the loopback address.</summary>
    internal static void Listen(KestrelServerOptions kestrel, int port)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = MaxRequestBodyBytes;
        kestrel.Listen(IPAddress.Loopback, port);
    }

    /// <summary>Adds the functions of <paramref name="assembly"/>.</summary>
    internal static void AddFunctions(this IServiceCollection services, Assembly assembly)
    {
        services.AddRouting();
        services.AddMvcCore();
        services.AddSingleton(new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            TypeInfoResolver = JsonTypeInfoResolver.Combine(JobsJson.Default, new DefaultJsonTypeInfoResolver()),
        });
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<FunctionEndpoints>(provider, FunctionDiscovery.Find(assembly)));
    }

    /// <summary>Maps every function; anything else is 404, which a host takes as a sign of life.</summary>
    internal static void MapFunctions(this IEndpointRouteBuilder routes, int port)
    {
        var services = routes.ServiceProvider;
        var endpoints = services.GetRequiredService<FunctionEndpoints>();
        endpoints.Map(routes, RoutePrefix(AppContext.BaseDirectory));
        var lifetime = services.GetRequiredService<IHostApplicationLifetime>();
        lifetime.ApplicationStarted.Register(() => services.GetRequiredService<ILogger<FunctionEndpoints>>().Serving(endpoints.Functions.Count, port));
    }

    /// <summary>Raw requests keep the host's route prefix, so the handler must know it too: from the file, or from a setting that beats it.</summary>
    private static string RoutePrefix(string folder)
    {
        var host = new ConfigurationBuilder().SetBasePath(folder).AddJsonFile("host.json", optional: true).AddEnvironmentVariables("AzureFunctionsJobHost__").Build();
        return (host["extensions:http:routePrefix"] ?? "api").Trim('/');
    }
}
