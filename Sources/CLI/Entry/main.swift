// The executable `sallyport`; everything is in SallyportCLI, so that tests can import it.

import SallyportCLI

await SallyportCommand.run()
