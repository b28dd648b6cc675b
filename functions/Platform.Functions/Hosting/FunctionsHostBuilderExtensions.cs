using System.Reflection;

namespace Platform.Functions.Hosting;

/// <summary>The older way to begin a program of functions: <c>new HostBuilder().ConfigureFunctionsWebApplication().ConfigureServices(...).Build().Run()</c>.</summary>
public static class FunctionsHostBuilderExtensions
{
    /// <summary>Serves the functions of the entry assembly, with ASP.NET's types.</summary>
    /// <remarks>Reads the process's arguments, as <see cref="FunctionsApplication.CreateBuilder"/> does.</remarks>
    public static IHostBuilder ConfigureFunctionsWebApplication(this IHostBuilder builder)
    {
        var port = FunctionsApplication.BeginOrEnd(Environment.GetCommandLineArgs()[1..]);
        return builder
            .ConfigureAppConfiguration(configuration => configuration.AddEnvironmentVariables())
            .ConfigureLogging(logging => logging.AddSimpleConsole().AddFilter("Microsoft", LogLevel.Warning))
            .ConfigureServices(services => services.AddFunctions(Assembly.GetEntryAssembly()!))
            .ConfigureWebHost(web => web
                .UseKestrelCore()
                .ConfigureKestrel(kestrel => FunctionsApplication.Listen(kestrel, port))
                .Configure(app => app.UseRouting().UseEndpoints(routes =>
                {
                    routes.MapFunctions(port);
                    Jobs.Supervision.StopWithSupervisor(app.ApplicationServices.GetRequiredService<IHostApplicationLifetime>().StopApplication);
                })));
    }

    /// <summary>Serves the functions of the entry assembly; those with <see cref="HttpRequestData"/> need nothing more.</summary>
    public static IHostBuilder ConfigureFunctionsWorkerDefaults(this IHostBuilder builder) => builder.ConfigureFunctionsWebApplication();
}
