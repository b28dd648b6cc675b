using Platform.Dapr;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

if (args is ["--emit-functions", var folder])
{
    FunctionAppWriter.Write(typeof(Program).Assembly, folder);
    return 0;
}

if (FunctionsApplication.HandlerPort() is not { } port)
{
    await Console.Error.WriteLineAsync(FunctionsApplication.NoHost);
    return 2;
}

InlineSockets.Enable(); // No function here blocks: they pass calls on.
var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.Services.AddDapr();
builder.Services.AddRouter(builder.Configuration);
builder.WebHost.UseSockets(sockets => (sockets.UnsafePreferInlineScheduling, sockets.WaitForDataBeforeAllocatingBuffer) = (true, false));
builder.AddFunctions(typeof(Program).Assembly, port);
var app = builder.Build();
app.MapFunctions(port);
Supervision.StopWithSupervisor(app.Lifetime.StopApplication);
await app.RunAsync();
return 0;
